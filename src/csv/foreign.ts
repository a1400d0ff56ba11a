/** What a file is that is no text, told by its first bytes. */
import { AppError } from '../errors.ts'

/** So many first bytes are enough for every row of the table. */
export const startBytes = 512

const elsewhere = 'Export its table as CSV and send that.'
const unpackFirst = 'Unpack it and send the CSV in it.'
const saveAsUtf8 = 'Save it as UTF-8 and send it again.'
const wrongFile = 'Send the CSV file instead; perhaps the wrong file was taken.'

/** How the first bytes look in Latin-1, where nothing else is said from the first on: no line of text begins so. */
const kinds: readonly (readonly [start: string | RegExp, what: string, advice: string, at?: number])[] = [
  ['\x1f\x8b', 'compressed with gzip', unpackFirst],
  ['\x28\xb5\x2f\xfd', 'compressed with zstd', unpackFirst],
  ['PK\x03\x04', 'a zip archive', unpackFirst],
  ['PK\x05\x06', 'an empty zip archive', wrongFile],
  [/^BZh[1-9]1AY&SY/, 'compressed with bzip2', unpackFirst],
  ['\xfd7zXZ\0', 'compressed with xz', unpackFirst],
  ['\x04\x22\x4d\x18', 'compressed with lz4', unpackFirst],
  ['7z\xbc\xaf\x27\x1c', 'a 7-Zip archive', unpackFirst],
  ['Rar!\x1a\x07', 'a RAR archive', unpackFirst],
  ['ustar', 'a tar archive', unpackFirst, 257],
  ['\xd0\xcf\x11\xe0', 'an old Excel workbook or another Office document', elsewhere],
  ['PAR1\x15', 'a Parquet file', elsewhere],
  ['SQLite format 3\0', 'an SQLite database', elsewhere],
  ['DUCK', 'a DuckDB database', elsewhere, 8],
  ['ARROW1\0', 'an Arrow file', elsewhere],
  ['Obj\x01', 'an Avro file', elsewhere],
  ['%PDF-', 'a PDF', elsewhere],
  ['{\\rtf', 'a rich-text document', elsewhere],
  [
    /^(\xef\xbb\xbf)?\s*<(!doctype html|html[\s>])/i,
    'a web page',
    'Perhaps a download brought an error or a log-in page.',
  ],
  [/^(\xef\xbb\xbf)?<\?xml/, 'XML', elsewhere],
  ['\xff\xfe\0\0', 'text in UTF-32', saveAsUtf8],
  ['\0\0\xfe\xff', 'text in UTF-32', saveAsUtf8],
  ['\x89PNG\r\n', 'a PNG image', wrongFile],
  ['\xff\xd8\xff', 'a JPEG image', wrongFile],
  ['GIF89a', 'a GIF image', wrongFile],
  ['\x7fELF', 'a program', wrongFile],
]

/**
 * Ends the reading of what is no text, compressed data included.
 * @param start the first bytes, `startBytes` of them where the file has as many.
 * @throws {AppError} rejected, saying what the file is and what to do.
 */
export function refuseForeign(start: Buffer, name: string): void {
  const text = start.toString('latin1', 0, startBytes)
  const found = kinds.find(([magic, , , at = 0]) =>
    typeof magic === 'string' ? text.startsWith(magic, at) : magic.test(text),
  )
  if (found !== undefined) throw refused(name, `it is ${found[1]}`, found[2])
}

/** A file that cannot be read, why, and what to do. */
export function refused(name: string, why: string, advice: string, cause?: unknown): AppError {
  return new AppError('rejected', `${name} cannot be read: ${why}. ${advice}`, { cause, details: { file: name } })
}
