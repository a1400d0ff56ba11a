/** Forms with a file, made up from a seed; and what is in one, by a reading that is not the service's. */
import { gzipSync } from 'node:zlib'
import { chance, pick, type Random } from '../../src/cli/random.ts'
import { between } from '../values/cells.ts'

export interface Part {
  /** Of its headers, without line ends. */
  readonly lines: readonly string[]
  readonly content: Buffer
}

export interface Form {
  readonly boundary: string
  /** Fields first, the file last. */
  readonly parts: readonly Part[]
  readonly file: Buffer
  /** What the file is called by the form. */
  readonly name: string
}

const boundaryLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=?".split('')

const fileNames = [
  'plays.csv',
  'a b.csv',
  'ünï.csv',
  '数据.csv',
  '🎵.csv',
  "o'clock;x=y.csv",
  '.csv',
  '%41.csv',
  'a,b.csv',
]

/** @param fields that stand before the file, by name. */
export function drawForm(next: Random, fields: Readonly<Record<string, string>> = {}): Form {
  const boundary = `x${Array.from({ length: between(0, 60, next) }, () => pick(boundaryLetters, next)).join('')}x`
  const file = drawContent(boundary, next)
  const fileName = pick(fileNames, next)
  const told = Object.entries(chance(0.3, next) ? { ...fields, name: 'told.csv' } : fields)
  const before = told.map(([name, value]): Part => {
    return { lines: [`Content-Disposition: form-data; name="${name}"`], content: Buffer.from(value) }
  })
  const types = pick([[], ['Content-Type: text/csv'], ['Content-Type: application/octet-stream', 'X-Other: 1']], next)
  const disposition = `${pick(['Content-Disposition', 'content-disposition'], next)}: form-data; name="file"; filename="${fileName}"`
  const parts = [...before, { lines: [disposition, ...types], content: file }]
  return { boundary, parts, file, name: told.some(([name]) => name === 'name') ? 'told.csv' : fileName }
}

/** Files that no door refuses, among them such as are nearly a boundary. */
function drawContent(boundary: string, next: Random): Buffer {
  const rows = Array.from(
    { length: between(0, 40, next) },
    (_, i) => `Umbrella ${i},2020-01-02,${between(0, 999, next)}`,
  )
  const csv = ['Song,Date,Number of Plays', ...rows].join(pick(['\n', '\r\n'], next))
  const nearly = [boundary.slice(0, -1), `-${boundary}`, boundary.toUpperCase().slice(1), '', '-'].map((s) => `--${s}`)
  switch (between(0, 7, next)) {
    case 0:
      return Buffer.alloc(0)
    case 1:
      return gzipSync(csv)
    case 2:
      return Buffer.from(csv, 'utf16le')
    case 3:
      return Buffer.from(`${csv}\r\n${nearly.join('\r\n')}\r\n`)
    case 4:
      return Buffer.from(`a\n--${boundary}--\n--${boundary}\n\r\r\n\r\n\n${csv}\r\n-`)
    case 5:
      return Buffer.alloc(between(1, 300_000, next), `${csv}\n`)
    default:
      return Buffer.from(csv)
  }
}

export function encode({ boundary, parts }: Pick<Form, 'boundary' | 'parts'>): Buffer {
  const pieces = parts.flatMap(({ lines, content }) => [
    Buffer.from(`--${boundary}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`),
    content,
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
}

export interface Reading {
  /** What stands between two delimiters, behind the first blank line. */
  readonly contents: readonly Buffer[]
  /** Whether it has come to the delimiter that ends it. */
  readonly isWhole: boolean
}

/** RFC 2046, 5.1.1: a line that begins with the boundary is a delimiter, whatever follows; two dashes make it the last. */
export function readForm(bytes: Buffer, boundary: string): Reading {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  const text = Buffer.concat([Buffer.from('\r\n'), bytes])
  const contents: Buffer[] = []
  for (let at = text.indexOf(delimiter); at >= 0; ) {
    const start = at + delimiter.length
    if (text.subarray(start, start + 2).equals(Buffer.from('--'))) return { contents, isWhole: true }
    const end = text.indexOf(delimiter, start)
    if (end < 0) break
    const blank = text.indexOf('\r\n\r\n', start)
    if (blank >= 0 && blank + 4 <= end) contents.push(text.subarray(blank + 4, end))
    // The line end before a delimiter is a part of it, also where it ends the blank line of an empty part.
    else if (blank >= 0 && blank + 2 <= end) contents.push(Buffer.alloc(0))
    at = end
  }
  return { contents, isWhole: false }
}
