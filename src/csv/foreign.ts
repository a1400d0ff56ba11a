/** What a file is that is no table: no text by its first bytes, or text that is plainly something else. */
import { refused } from './refused.ts'

/** So many first bytes are enough for every row of the table. */
export const startBytes = 512

const elsewhere = 'Export its table as CSV and send that.'
const unpackFirst = 'Unpack it and send the CSV in it.'
const saveAsUtf8 = 'Save it as UTF-8 and send it again.'
const wrongFile = 'Send the CSV file instead; perhaps the wrong file was taken.'
const wrongAnswer = 'Perhaps a download brought an error or a log-in page.'
const insteadOfTable = `${elsewhere} If it was to be CSV: perhaps a download brought an error.`
/** With or without comments before it; where a page begins in the middle, another tag follows, as in no header. */
const webPage =
  /^(?:\xef\xbb\xbf)*\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html[\s>]|(?:head|meta|body|table|div|script|style|br)\b[^>]*>[\r\n ]*<[a-z/!])/is

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
  [webPage, 'a web page', wrongAnswer],
  [/^(\xef\xbb\xbf)*<\?xml/, 'XML', insteadOfTable],
  [
    /^(?:\/\*.*?\*\/\s*)?(?:--\s*)?-- (?:MySQL|MariaDB|PostgreSQL|phpMyAdmin)(?: database| SQL)? dump/i,
    'a dump in SQL',
    elsewhere,
  ],
  [/^PRAGMA foreign_keys\s*=/, 'a dump in SQL', elsewhere],
  [/^ID;P[A-Z\d]{3,}(?:;[NE])*\r?\n(?:P;P|[BCF];[A-Z])/, 'a SYLK spreadsheet', elsewhere],
  [/^BEGIN:V(?:CARD|CALENDAR)\r?\n/i, 'a file of contacts or dates', elsewhere],
  [/^MIME-Version: 1\.0\r?\n/i, 'a web archive or an e-mail', elsewhere],
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

const NUL = 0x00
const LF = 0x0a
const CR = 0x0d

/**
 * Ends the reading of text that is no table.
 * @param sample the beginning of the text, in UTF-8.
 * @param whole whether that is all of it.
 * @throws {AppError} rejected, saying what the file is and what to do.
 */
export function refuseDocument(sample: Buffer, whole: boolean, name: string): void {
  refuseBinary(sample, name)
  const start = sample.toString('latin1', 0, startBytes)
  if (webPage.test(start)) throw refused(name, 'it is a web page', wrongAnswer)
  if (whole && isElement(sample)) throw refused(name, 'it is XML', insteadOfTable)
  if (isJson(sample, whole)) throw refused(name, 'it is JSON', insteadOfTable)
}

/** Text has a NUL here and there at most. */
function refuseBinary(sample: Buffer, name: string): void {
  const text = sample.subarray(0, sample.findLastIndex((byte) => byte !== NUL) + 1)
  if (isBinary(text)) {
    const share = Math.round((nulsIn(text) / text.length) * 100)
    throw refused(name, `${share} % of its first bytes are NULs, so it is a binary file and no text`, wrongFile)
  }
  if (text.length > 0 && isBinary(sample)) {
    const why = `behind ${text.length} bytes of text it has NULs, as a file that was filled up, or not written to its end`
    throw refused(name, why, 'Send it again, whole and without them.')
  }
  if (isBinary(sample)) throw refused(name, 'its first bytes are all NULs, so there is no text in it', wrongFile)
}

function isBinary(bytes: Buffer): boolean {
  return nulsIn(bytes) * 20 > bytes.length
}

function nulsIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NUL); at >= 0; at = bytes.indexOf(NUL, at + 1)) count++
  return count
}

/** Whether the text is one element from its first byte to its last, and not a label in angle brackets. */
function isElement(sample: Buffer): boolean {
  const text = sample.toString('latin1').trim()
  const [, tag] = /^<([a-z][\w:.-]*)[\s>]/i.exec(text) ?? []
  return tag !== undefined && text.endsWith(`</${tag}>`)
}

/** Whether the text is one object or array. JSON Lines are none: they are a table of one column. */
function isJson(sample: Buffer, whole: boolean): boolean {
  const start = sample.toString('latin1', 0, startBytes).trimStart()
  if (!/^[[{]/.test(start)) return false
  if (!whole) return beginsJson(sample, start)
  try {
    JSON.parse(sample.toString())
    return true
  } catch {
    return false
  }
}

/** Too long to be looked at as a whole: whether a bracket has a line to itself, or an array goes on behind its first. */
function beginsJson(sample: Buffer, start: string): boolean {
  if (/^[[{]\s*[\r\n]\s*["{[]/.test(start)) return true
  if (!/^\[\s*\{\s*"/.test(start)) return false
  const end = sample.findIndex((byte) => byte === LF || byte === CR)
  return end < 0 || /[,{[}]\s*$/.test(sample.toString('latin1', Math.max(0, end - startBytes), end))
}
