/** A made-up file: its columns, its records, how it is written, and where in it each record stands. */
import { chance, pick, type Random } from '../../src/cli/random.ts'
import type { Cell } from './oracle.ts'

/** What is wrong with the form of a record. None of it makes the neighbours doubtful. */
export type Flaw = 'missing-cell' | 'extra-cell' | 'nul-byte' | 'encoding-error' | 'quote-error'

export interface Line {
  readonly cells: readonly Cell[]
  readonly flaw?: Flaw | undefined
}

export interface Dialect {
  readonly delimiter: string
  /** Empty for none: then no cell can hold a delimiter or a line end. */
  readonly quote: string
  /** What stands before a quote, and before itself, within quotes: the quote, or a backslash. */
  readonly escape: string
  readonly ends: readonly string[]
  readonly mark: boolean
  readonly blankLines: boolean
}

export interface Sheet {
  readonly dialect: Dialect
  readonly labels: readonly string[]
  readonly lines: readonly Line[]
}

export interface Written {
  readonly bytes: Buffer
  /** Of each record: where it begins and the bytes that it is. */
  readonly places: readonly { readonly offset: number; readonly raw: Buffer }[]
  readonly blankLines: number
}

export function drawDialect(next: Random): Dialect {
  const end = pick(['\n', '\n', '\r\n', '\r\n', '\r'], next)
  const quote = pick(['"', '"', '"', '"', "'", ''], next)
  return {
    quote,
    escape: quote !== '' && chance(0.15, next) ? '\\' : quote,
    delimiter: pick([',', ',', ';', '\t', '|', '::'], next),
    ends: chance(0.1, next) ? ['\n', '\r\n'] : [end],
    mark: chance(0.1, next),
    blankLines: chance(0.2, next),
  }
}

/** What such a file can hold of a text. */
export function holdable(text: string, { quote, delimiter }: Dialect): string {
  return quote !== ''
    ? text
    : text
        .replaceAll(/[\r\n]/g, '')
        .replaceAll(delimiter, '')
        .replace(/:$/, '')
}

/** What Rowmill is told of the form of a file, so that none of it is guessed. */
export function readerParams({ delimiter, quote, escape }: Dialect): Readonly<Record<string, string>> {
  return {
    'reader.delimiter': delimiter,
    'reader.quote': quote,
    'reader.escape': escape,
    'reader.header': 'true',
    'reader.skipLines': '0',
    'reader.encoding': 'utf-8',
  }
}

export function write({ dialect, labels, lines }: Sheet, next: Random): Written {
  const parts: Buffer[] = [Buffer.from(dialect.mark ? '\ufeff' : '')]
  const places: { offset: number; raw: Buffer }[] = []
  let offset = parts[0]?.length ?? 0
  let blankLines = 0
  const put = (bytes: Buffer) => {
    parts.push(bytes)
    offset += bytes.length
  }
  const end = () => put(Buffer.from(pick(dialect.ends, next)))
  put(bytesOf({ cells: labels.map((text) => ({ text, quoted: false })) }, dialect, next))
  for (const line of lines) {
    end()
    for (; dialect.blankLines && chance(0.1, next); blankLines++) end()
    const raw = bytesOf(line, dialect, next)
    places.push({ offset, raw })
    put(raw)
  }
  // The last record may do without; but what ends a file of DOS is no part of it.
  if (chance(0.8, next) || places.at(-1)?.raw.at(-1) === 0x1a) end()
  return { bytes: Buffer.concat(parts), places, blankLines }
}

function bytesOf({ cells, flaw }: Line, dialect: Dialect, next: Random): Buffer {
  const { quote } = dialect
  const written = cells.map((cell) => cellBytes(cell, dialect, next))
  if (flaw === 'missing-cell') written.pop()
  if (flaw === 'extra-cell') written.push(Buffer.from('x'))
  if (flaw === 'nul-byte') written[0] = Buffer.from(chance(0.5, next) ? `${quote}a\0b${quote}` : 'a\0b')
  if (flaw === 'encoding-error') written[0] = Buffer.from(pick(['a\xff', '\xc3', 'a\xed\xa0\x80b'], next), 'latin1')
  if (flaw === 'quote-error') written[0] = Buffer.from(pick([`${quote}a${quote}b`, `a${quote}b`], next))
  const delimiter = Buffer.from(dialect.delimiter)
  const bytes = Buffer.concat(written.flatMap((cell, i) => (i === 0 ? [cell] : [delimiter, cell])))
  // Nothing at all would be a blank line.
  return bytes.length > 0 ? bytes : Buffer.from(flaw === undefined ? quote + quote : 'x')
}

function cellBytes({ text, quoted }: Cell, { delimiter, quote, escape }: Dialect, next: Random): Buffer {
  if (quote === '') return Buffer.from(text)
  const mustQuote = [quote, escape, delimiter, '\r', '\n'].some((one) => text.includes(one)) || /^:|:$/.test(text)
  const isQuoted = text === '' ? quoted : mustQuote || chance(0.2, next)
  if (!isQuoted) return Buffer.from(text)
  const inside = text.replaceAll(escape, () => escape + escape)
  return Buffer.from(quote + (escape === quote ? inside : inside.replaceAll(quote, () => escape + quote)) + quote)
}
