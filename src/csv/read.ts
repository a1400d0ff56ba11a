/**
 * What a record is. Bytes in; out comes a file that DuckDB cannot misread, with its records counted: the file itself
 * where it is provably simple, else a flat copy.
 */
import { open } from 'node:fs/promises'
import { AppError } from '../errors.ts'
import type { Warning } from '../model.ts'
import type { Reading, ReadOptions } from './reading.ts'
import { type Facts, longestLine, scan } from './scan.ts'
import { readStrict } from './strict.ts'

const mark = Buffer.from([0xef, 0xbb, 0xbf])

/** The facts of a file, or the reason why it is no CSV at all. */
export async function examine(path: string, options: Omit<ReadOptions, 'onFault'> & { hash: boolean }): Promise<Facts> {
  const facts = await scan(path, options)
  refuseForeign(facts, options.name)
  if (facts.nul >= 0) {
    throw unreadable(options.name, `it has a NUL byte at offset ${facts.nul}, so it is a binary file and not text`)
  }
  if (facts.notUtf8 >= 0) {
    const line = await lineAt(path, facts.notUtf8)
    throw new AppError(
      'rejected',
      `${options.name} line ${line}: byte ${facts.notUtf8} is not UTF-8. Save the file as UTF-8 and send it again.`,
      { details: { file: options.name, line, byteOffset: facts.notUtf8 } },
    )
  }
  return facts
}

/**
 * A provably simple file is read where it stands: no quote, no NUL, no U+0001, valid UTF-8, one kind of line ending, no
 * blank line, no endless line. Its records are its lines, whoever counts. Undefined when the file is not.
 */
export async function readPlain(path: string, facts: Facts): Promise<Reading | undefined> {
  const { lineEnd, quote, soh, blankLine, longLine } = facts
  if (lineEnd === undefined || quote >= 0 || soh || blankLine || longLine) return undefined
  const header = await readHeader(path, facts)
  // A mark and nothing else: for the strict way, which knows what to say.
  if (header.length === 1 && header[0] === '') return undefined
  const records = facts.lines - 1
  const warnings = warningsFor(header, records)
  const counts = { records, rejected: 0, blankLines: 0, escaped: false, longest: longestLine }
  return { layout: 'plain', path, header, lineEnd, ...counts, facts, warnings }
}

/** The way for every other file, and for a simple one in which something turned out not to fit. */
export async function readFlat(path: string, flat: string, facts: Facts, options: ReadOptions): Promise<Reading> {
  const hasMark = facts.start.subarray(0, 3).equals(mark)
  const reading = await readStrict(path, flat, { ...options, mark: hasMark })
  const warnings = warningsFor(reading.header, reading.records)
  return { layout: 'flat', path: flat, lineEnd: '\n', ...reading, facts, warnings }
}

/** The first line of a file that is known to have no quotes. */
async function readHeader(path: string, facts: Facts): Promise<string[]> {
  await using file = await open(path, 'r')
  const start = Buffer.alloc(Math.min(facts.bytes, longestLine))
  await file.read(start, 0, start.length, 0)
  const end = start.indexOf('\n')
  const line = start
    .toString('utf8', 0, end < 0 ? start.length : end)
    .replace(/^\ufeff/, '')
    .replace(/\r$/, '')
  return line.split(',')
}

function warningsFor(header: readonly string[], records: number): Warning[] {
  const warnings: Warning[] = []
  if (records === 0) warnings.push({ code: 'no-rows', message: 'the file has a header and no rows' })
  const other = header.length === 1 ? [';', '\t', '|'].find((char) => header[0]?.includes(char)) : undefined
  if (other !== undefined) {
    const name = other === '\t' ? 'tabs' : `“${other}”`
    warnings.push({
      code: 'one-column',
      message: `the header is one column, but it contains ${name}: is that the delimiter?`,
    })
  }
  return warnings
}

const foreign: readonly (readonly [bytes: string, what: string])[] = [
  ['1f8b', 'it is compressed with gzip'],
  ['28b52ffd', 'it is compressed with zstd'],
  ['504b0304', 'it is a zip archive or an Excel workbook'],
  ['d0cf11e0', 'it is an old Excel workbook'],
  ['25504446', 'it is a PDF'],
  ['50415231', 'it is a Parquet file'],
  ['fffe', 'it is UTF-16 text'],
  ['feff', 'it is UTF-16 text'],
]

function refuseForeign(facts: Facts, name: string): void {
  if (facts.bytes === 0) throw unreadable(name, 'it is empty: not even a header line')
  const start = facts.start.toString('hex')
  const found = foreign.find(([bytes]) => start.startsWith(bytes))
  if (found !== undefined) throw unreadable(name, `${found[1]}; send it as plain CSV in UTF-8`)
}

function unreadable(name: string, why: string): AppError {
  return new AppError('rejected', `${name} cannot be read: ${why}.`, { details: { file: name } })
}

async function lineAt(path: string, offset: number): Promise<number> {
  await using file = await open(path, 'r')
  let line = 1
  for await (const chunk of file.createReadStream({
    end: Math.max(0, offset - 1),
    encoding: 'latin1',
    autoClose: false,
  })) {
    if (offset > 0) line += String(chunk).split('\n').length - 1
  }
  return line
}
