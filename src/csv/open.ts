/**
 * From a file as it was handed in to where its records begin: bytes unpacked, text in UTF-8, dialect and header found
 * out. Everything that was guessed says how, and how sure it is.
 */
import { isUtf8 } from 'node:buffer'
import { open, stat } from 'node:fs/promises'
import { AppError } from '../errors.ts'
import type { ReaderOptions, Warning } from '../model.ts'
import { type Compression, unpack } from './bytes.ts'
import type { Dialect } from './dialect.ts'
import { ambiguousEncoding, checkEncodingName, type Detection, detectEncoding, leastConfidence } from './encoding.ts'
import { expectedForm } from './expected.ts'
import { refuseForeign, startBytes } from './foreign.ts'
import { mostColumns } from './kernel/kernel.ts'
import type { LineEnds } from './records.ts'
import { type Sniffed, sniff } from './sniff.ts'
import type { SourceMap } from './text/source-map.ts'
import { transcode } from './transcode.ts'

/** What is looked at to presume an encoding. */
const looked = 64 << 10

/** What is looked at to find out the dialect. A header must lie within. */
const sampleBytes = 1 << 20

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
  const { size } = await stat(path)
  if (size === 0) throw unreadable(name, 'it is empty: not even a header line')
  const unpacked = await unpack(path, `${scratch}.bytes`, { name, most: mostBytes, signal, onProgress })
  const start = await readStart(unpacked.path, startBytes)
  if (start.length === 0) throw unreadable(name, 'there is nothing in it once it is unpacked')
  refuseForeign(start, name)

  const presumed = trust === 'presumed' && given.encoding === undefined && (await looksLikeUtf8(unpacked.path))
  const encoding = presumed ? utf8 : await encodingOf(unpacked.path, options)
  const text = await toText(unpacked.path, encoding, options)
  const mark = await markLength(text.path)
  const sample = (await readStart(text.path, sampleBytes + mark)).subarray(mark)
  refuseBinary(sample, name)
  const whole = mark + sample.length === text.bytes
  const sniffed = sniff(sample, { whole, given: { ...given, ...expectedForm(sample, expected, given) } })
  if (sniffed.content !== 'records') throw unreadable(name, 'it is blank: not even a header line')
  const header = headerOf(sniffed, name, whole)
  const hasHeader = sniffed.header.present
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
    start: mark + (hasHeader ? sniffed.header.end : sniffed.header.start),
    headerEnd: hasHeader ? lineEndOf(sample.subarray(0, sniffed.header.end)) : undefined,
    line: sniffed.header.line + (hasHeader ? lineEnds(sample.subarray(sniffed.header.start, sniffed.header.end)) : 0),
    warnings: [...encodingWarnings(encoding), ...sniffed.warnings],
  }
}

/** The same file with its encoding known for certain. Opened anew only if that is not the one that was presumed. */
export async function certainFile(path: string, file: OpenFile, options: OpenOptions): Promise<OpenFile> {
  if (!file.presumed) return file
  const encoding = await encodingOf(file.path, options)
  if (encoding.encoding !== 'utf-8') return await openFile(path, options, 'certain')
  return { ...file, encoding, presumed: false }
}

const utf8: Detection = { encoding: 'utf-8', mark: false, how: 'valid', confidence: 1, alternatives: [], firstBad: -1 }

/** Whether the beginning of a file is UTF-8 and nothing else. */
async function looksLikeUtf8(path: string): Promise<boolean> {
  const start = await readStart(path, looked)
  const last = start.length < looked ? start.length : start.length - 4
  // A character that is cut off at the end is no fault.
  const end = start.findLastIndex((byte, i) => i <= last && (byte & 0xc0) !== 0x80)
  return (
    !start.includes(0) && !start.includes(0x1b) && isUtf8(start.subarray(0, start.length < looked ? undefined : end))
  )
}

/** @throws {AppError} rejected, when nobody can tell. */
async function encodingOf(path: string, { name, given, signal }: OpenOptions): Promise<Detection> {
  const named = given.encoding === undefined ? undefined : checkEncodingName(given.encoding)
  const detection = await detectEncoding(path, { signal, named })
  if (detection.how !== 'named' && detection.confidence < leastConfidence) throw ambiguousEncoding(name, detection)
  return detection
}

async function toText(path: string, { encoding }: Detection, { scratch, signal, onProgress }: OpenOptions) {
  if (encoding === 'utf-8') return { path, bytes: (await stat(path)).size, map: undefined }
  const target = `${scratch}.text`
  const map = await transcode(path, target, encoding, { signal, onProgress })
  return { path: target, bytes: (await stat(target)).size, map }
}

/** @throws {AppError} rejected: without a header that can be read, no record can. */
function headerOf({ header, columns }: Sniffed, name: string, whole: boolean): readonly string[] {
  if (!header.present) return Array.from({ length: columns }, (_, i) => `column_${i + 1}`)
  const where = `${name} line ${header.line}`
  const fail = (why: string) =>
    new AppError('rejected', `${where}: ${why}`, { details: { file: name, line: header.line } })
  if (header.cells === undefined) {
    if (!whole && header.end >= sampleBytes)
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
  return header.cells
}

function encodingWarnings({ encoding, how, confidence }: Detection): Warning[] {
  if (how !== 'guess') return []
  const sure = `${Math.round(confidence * 100)} % sure`
  const message = `read as ${encoding} (${sure}), since it is not UTF-8: if that is wrong, name the encoding with --encoding`
  return [{ code: 'encoding-guess', message }]
}

/** Text has a NUL here and there at most. */
function refuseBinary(sample: Buffer, name: string): void {
  let count = 0
  for (let at = sample.indexOf(0); at >= 0; at = sample.indexOf(0, at + 1)) count++
  if (count * 20 <= sample.length) return
  throw unreadable(
    name,
    `${Math.round((count / sample.length) * 100)} % of its first bytes are NULs, so it is a binary file and no text`,
  )
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

async function markLength(path: string): Promise<number> {
  return (await readStart(path, 3)).equals(Buffer.of(0xef, 0xbb, 0xbf)) ? 3 : 0
}

function unreadable(name: string, why: string): AppError {
  return new AppError('rejected', `${name} cannot be read: ${why}.`, { details: { file: name } })
}
