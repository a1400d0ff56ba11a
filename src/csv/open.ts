/**
 * From a file as it was handed in to where its records begin: bytes unpacked, text in UTF-8, dialect and header found
 * out. Everything that was guessed says how, and how sure it is.
 */
import { isUtf8 } from 'node:buffer'
import { open, stat } from 'node:fs/promises'
import { AppError } from '../errors.ts'
import type { Warning } from '../model.ts'
import type { ReaderOptions } from '../definition.ts'
import { type Compression, type Unpacked, unpack } from './bytes.ts'
import type { Dialect } from './dialect.ts'
import { ambiguousEncoding, checkEncodingName, type Detection, detectEncoding, leastConfidence } from './encoding.ts'
import { expectedForm } from './expected.ts'
import { refuseDocument, refuseForeign, startBytes } from './foreign.ts'
import { mostColumns } from './kernel/kernel.ts'
import { edgeWarnings, encodingWarnings } from './open-warnings.ts'
import type { LineEnds } from './records.ts'
import { refused } from './refused.ts'
import { type Sniffed, sniff } from './sniff.ts'
import { lastLineWarnings } from './sniff/last-line.ts'
import { markBytes, marksAt, type Text, unmarked, withoutEndMarks } from './text/marks.ts'
import type { SourceMap } from './text/source-map.ts'
import { cutBytes } from './text/utf8.ts'
import { transcode } from './transcode.ts'

/** What is looked at to presume an encoding. */
const looked = 64 << 10

/** What is looked at to find out the dialect. A header must lie within. */
const sampleBytes = 1 << 20

/** What is looked at to tell a last line that is no record. */
const tailBytes = 64 << 10

/** What to do about a file with nothing in it. */
const again = 'Send it again, with its header and its rows.'

export interface OpenOptions {
  /** What to call the file in messages. */
  readonly name: string
  /** Where files of our own may be made: a path to which endings are added. */
  readonly scratch: string
  readonly given: ReaderOptions
  /** Columns that the file should have; none where nobody knows. */
  readonly expected: readonly string[]
  /** Bytes it may unpack to. */
  readonly mostBytes: number
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number) => void
}

export interface OpenFile {
  readonly name: string
  /** As it was handed in. */
  readonly bytes: number
  readonly compression: Compression
  readonly encoding: Detection
  /** UTF-8 was presumed from the beginning of the file; the rest has not been looked at. */
  readonly presumed: boolean
  /** The text in UTF-8, perhaps with a mark. */
  readonly path: string
  readonly textBytes: number
  /** From places in the text to those in the decompressed bytes. */
  readonly map: SourceMap | undefined
  readonly sniffed: Sniffed
  /** Whether the beginning of the text holds the dialect's quote. */
  readonly hasQuotes: boolean
  readonly dialect: Dialect
  /** One for each column: the header's cells as they stand, or `column_1` and so on where there is none. */
  readonly header: readonly string[]
  /** Where the first record begins: bytes of the text before it, and its physical line. */
  readonly start: number
  readonly line: number
  /** How the header's line ends; undefined where there is no header, or nothing behind it. */
  readonly headerEnd: keyof LineEnds | undefined
  readonly warnings: readonly Warning[]
}

/**
 * @param trust `presumed` takes a file for UTF-8 as long as its beginning is, so that it need not be read as a whole.
 * @throws {AppError} rejected, when the file is no CSV, its header is broken, or nobody can tell how it is to be read.
 */
export async function openFile(path: string, options: OpenOptions, trust: 'certain' | 'presumed'): Promise<OpenFile> {
  const { name, scratch, given, expected, mostBytes, signal, onProgress } = options
  // A wrong name is told before anything is read.
  if (given.encoding !== undefined) checkEncodingName(given.encoding)
  const { size } = await stat(path)
  if (size === 0) throw refused(name, 'it is empty: not even a header line', again)
  const unpacked = await unpack(path, `${scratch}.bytes`, { name, most: mostBytes, signal, onProgress })
  const firstBytes = await readStart(unpacked.path, startBytes)
  if (firstBytes.length === 0) throw refused(name, 'there is nothing in it once it is unpacked', again)
  refuseForeign(firstBytes, name)

  const presumed = trust === 'presumed' && given.encoding === undefined && (await looksLikeUtf8(unpacked.path))
  const encoding = presumed ? utf8 : await encodingOf(unpacked.path, options)
  const text = await toText(unpacked, encoding, options)
  const beginning = await readStart(text.path, sampleBytes)
  const mark = marksAt(beginning, 0)
  const sample = beginning.subarray(mark)
  const whole = beginning.length === text.bytes
  refuseDocument(sample, whole, name)
  const sniffed = sniff(sample, { whole, given, found: expectedForm(sample, expected, given) })
  if (sniffed.content !== 'records') throw refused(name, 'it is blank: not even a header line', again)
  const header = headerOf(sniffed, name, sample, whole)
  const hasHeader = sniffed.header.present
  const start = mark + (hasHeader ? sniffed.header.end : sniffed.header.start)
  const lastLine = lastLineWarnings(await readEnd(text, start), sniffed.dialect, header.length)
  return {
    name,
    bytes: size,
    compression: unpacked.compression,
    encoding,
    presumed,
    path: text.path,
    textBytes: text.bytes,
    map: text.map,
    sniffed,
    hasQuotes: sniffed.dialect.quote !== null && sample.includes(sniffed.dialect.quote),
    dialect: sniffed.dialect,
    header,
    start,
    headerEnd: hasHeader ? lineEndOf(sample.subarray(0, sniffed.header.end)) : undefined,
    line: sniffed.header.line + (hasHeader ? lineEnds(sample.subarray(sniffed.header.start, sniffed.header.end)) : 0),
    warnings: [
      ...encodingWarnings(encoding),
      // The one mark that a text in UTF-8 may have is no news; those of other encodings are gone by now.
      ...edgeWarnings({
        hasExtraMark: mark > (text.map === undefined ? markBytes : 0),
        sample,
        header: sniffed.header,
        endMarks: text.endMarks,
      }),
      ...sniffed.warnings,
      ...lastLine.filter(({ code }) => !sniffed.warnings.some((known) => known.code === code)),
    ],
  }
}

/** The same file with its encoding known for certain. Opened anew only if that is not the one that was presumed. */
export async function certainFile(path: string, file: OpenFile, options: OpenOptions): Promise<OpenFile> {
  if (!file.presumed) return file
  const encoding = await encodingOf(file.path, options)
  if (encoding.encoding !== 'utf-8') return await openFile(path, options, 'certain')
  return { ...file, encoding, presumed: false, warnings: [...encodingWarnings(encoding), ...file.warnings] }
}

const utf8: Detection = { encoding: 'utf-8', mark: false, how: 'valid', confidence: 1, alternatives: [], firstBad: -1 }

/** Whether the beginning of a file is UTF-8 and nothing else. */
async function looksLikeUtf8(path: string): Promise<boolean> {
  const start = await readStart(path, looked)
  const end = start.length - (start.length < looked ? 0 : cutBytes(start))
  return !start.includes(0) && !start.includes(0x1b) && isUtf8(start.subarray(0, end))
}

/** @throws {AppError} rejected, when nobody can tell. */
async function encodingOf(path: string, { name, given, signal }: OpenOptions): Promise<Detection> {
  const named = given.encoding === undefined ? undefined : checkEncodingName(given.encoding)
  const detection = await detectEncoding(path, { signal, named })
  if (detection.how !== 'named' && detection.confidence < leastConfidence) throw ambiguousEncoding(name, detection)
  return detection
}

interface TextInUtf8 extends Text {
  readonly map: SourceMap | undefined
}

async function toText(
  { path, compression }: Unpacked,
  { encoding }: Detection,
  { scratch, signal, onProgress }: OpenOptions,
): Promise<TextInUtf8> {
  const target = `${scratch}.text`
  if (encoding === 'utf-8') {
    const copy = compression === 'none' ? target : undefined
    return { ...(await withoutEndMarks(path, copy, signal)), map: undefined }
  }
  const map = await transcode(path, target, encoding, { signal, onProgress })
  return { ...(await withoutEndMarks(target, undefined, signal)), map }
}

/** @throws {AppError} rejected: without a header that can be read, no record can. */
function headerOf({ header, columns }: Sniffed, name: string, sample: Buffer, whole: boolean): readonly string[] {
  if (!header.present) return Array.from({ length: columns }, (_, i) => `column_${i + 1}`)
  const where = `${name} line ${header.line}`
  const fail = (why: string) =>
    new AppError('rejected', `${where}: ${why}`, { details: { file: name, line: header.line } })
  if (header.cells === undefined) {
    if (!whole && header.end >= sample.length)
      throw fail(`the header is longer than ${sampleBytes >> 20} MiB. Is this a CSV file?`)
    throw fail(
      'the quotes in the header are broken, so that no column can be told. Put the header right and send the file again.',
    )
  }
  if (header.cells.some((cell) => cell.includes('\ufffd') || cell.includes('\0'))) {
    throw fail('the header has bytes that are no text. Put it right, or name the encoding, and send the file again.')
  }
  if (header.cells.length > mostColumns) {
    throw fail(`the header has ${header.cells.length} columns; ${mostColumns} are the most. Split the file by columns.`)
  }
  return header.cells.map((label, i) => (i === 0 ? unmarked(label) : label))
}

function lineEndOf(bytes: Buffer): keyof LineEnds | undefined {
  const [before, last] = [bytes.at(-2), bytes.at(-1)]
  if (last === 0x0a) return before === 0x0d ? 'crlf' : 'lf'
  return last === 0x0d ? 'cr' : undefined
}

function lineEnds(bytes: Buffer): number {
  return bytes.toString('latin1').match(/\r\n|\r|\n/g)?.length ?? 0
}

async function readStart(path: string, length: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0)
  return buffer.subarray(0, bytesRead)
}

/** As much of the end of a text as its last line is looked for in, and not what lies before a place. */
async function readEnd({ path, bytes }: Text, from: number): Promise<Buffer> {
  const length = Math.min(tailBytes, bytes - from)
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, bytes - length)
  return buffer.subarray(0, bytesRead)
}
