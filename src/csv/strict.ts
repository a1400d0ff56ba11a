/**
 * The way for every file that is not provably simple: csv-parse, strict, record by record, into a flat copy. What does
 * not have as many cells as the header is a reject; a broken quote ends the reading, since nobody can then say where
 * the next record begins.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type CsvError, type Info, parse } from 'csv-parse'
import { AppError } from '../errors.ts'
import { escapeCell, escapeMark, flatDelimiter } from './flat.ts'
import { countLineEnds, Position, trimEnd } from './position.ts'
import type { Fault, ReadOptions } from './reading.ts'

export interface StrictReading {
  readonly header: readonly string[]
  readonly records: number
  readonly rejected: number
  readonly blankLines: number
  readonly escaped: boolean
  /** Bytes of the longest line of the flat copy, at most. */
  readonly longest: number
}

/** A longer record is taken for a quote that was never closed. */
const longestRecord = 4 << 20
/** How much of a broken record a reject shows. */
const longestRaw = 64 << 10

interface Parsed {
  record: string[]
  raw: string
  info: Info
}

export async function readStrict(
  path: string,
  flat: string,
  options: ReadOptions & { mark: boolean },
): Promise<StrictReading> {
  const position = new Position(options.mark ? 3 : 0)
  const state = { header: undefined as string[] | undefined, records: 0, rejected: 0, escaped: false, longest: 0 }
  let broken: CsvError | undefined
  const parser = parse({
    bom: true,
    raw: true,
    info: true,
    encoding: 'utf8',
    // Single bytes only: of a longer delimiter, `raw` would lack all but the first. A CRLF comes as two, see Position.
    record_delimiter: ['\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRecord,
    // Not to skip anything, but to end the reading in order: what was parsed before the broken record is still taken.
    skip_records_with_error: true,
    on_skip: (error) => {
      broken ??= error
      return undefined
    },
    on_record: (record) => (broken === undefined ? record : null),
  })

  async function* bytes(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      if (broken !== undefined) return
      yield chunk as Buffer
    }
  }

  async function* lines(records: AsyncIterable<Parsed>): AsyncGenerator<string> {
    let block = ''
    for await (const { record, raw } of records) {
      const place = position.advance(raw)
      if (state.header === undefined) {
        state.header = record
        continue
      }
      state.records++
      if (record.length !== state.header.length) {
        state.rejected++
        await options.onFault(ragged(state.header, record, { ...place, record: state.records }), state.header)
        continue
      }
      const lead = [place.line, place.byteOffset, place.byteLength, state.records].join(flatDelimiter)
      const line = `${lead}${flatDelimiter}${record.map(escapeCell).join(flatDelimiter)}\n`
      // At most three bytes of UTF-8 for each unit of a string.
      state.escaped ||= line.includes(escapeMark)
      state.longest = Math.max(state.longest, line.length * 3)
      block += line
      if (block.length < 1 << 18) continue
      options.onProgress(position.byteOffset)
      yield block
      block = ''
    }
    yield block
  }

  await Promise.all([
    pipeline(bytes(), parser, { signal: options.signal }),
    pipeline(Readable.from(lines(parser)), createWriteStream(flat), { signal: options.signal }),
  ])
  if (broken !== undefined) {
    throw await brokenQuote(broken, path, position, { ...state, header: state.header ?? [] }, options)
  }
  if (state.header === undefined) throw new AppError('rejected', `${options.name} has no header line: it is blank.`)
  return {
    header: state.header,
    records: state.records,
    rejected: state.rejected,
    blankLines: position.blankLines + (await position.blankTail(path)),
    escaped: state.escaped,
    longest: state.longest,
  }
}

type Place = Pick<Fault, 'line' | 'byteOffset' | 'byteLength' | 'record'>

function ragged(header: readonly string[], record: readonly string[], place: Place): Fault {
  const short = record.length < header.length
  return {
    ...place,
    column: short ? (header[record.length] ?? null) : null,
    code: short ? 'missing-cell' : 'extra-cell',
    message: `the record has ${record.length} of the header’s ${header.length} cells`,
    cells: record,
  }
}

const explanations: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_INVALID_CLOSING_QUOTE:
    'there is text right behind a closing quote; a quote inside a quoted value must be doubled',
  INVALID_OPENING_QUOTE:
    'there is a quote inside a value that is not quoted; quote the whole value and double the quote',
  CSV_MAX_RECORD_SIZE: `the record is longer than ${longestRecord >> 20} MiB, which is the most; perhaps a quote is never closed`,
}

/** Tells the one reject that ends the reading, and makes the error that goes with it. */
async function brokenQuote(
  error: CsvError,
  path: string,
  position: Position,
  { header, records }: { header: readonly string[]; records: number },
  options: ReadOptions,
): Promise<AppError> {
  const { start, line, bytes } = await recordAt(path, position)
  const index = typeof error['column'] === 'number' ? error['column'] : -1
  const column = header[index] ?? null
  const message = explanations[error.code] ?? error.message
  const place = { line, byteOffset: start, byteLength: bytes, record: records + 1 }
  await options.onFault({ ...place, column, code: 'quote-error', message, cells: null }, header)
  const where = `${options.name} line ${line}${column === null ? '' : `, column “${column}”`}`
  return new AppError('rejected', `${where}: ${message}. What follows cannot be read with certainty.`, {
    cause: error,
    details: { file: options.name, line, ...(column === null ? {} : { column }) },
  })
}

/** The record that begins behind the last one that was read, blank lines skipped. */
async function recordAt(path: string, position: Position): Promise<{ start: number; line: number; bytes: number }> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(longestRaw), 0, longestRaw, position.byteOffset)
  const text = buffer.toString('latin1', 0, bytesRead)
  const blank = /^[\r\n]*/.exec(text)?.[0] ?? ''
  return {
    start: position.byteOffset + blank.length,
    line: position.line + countLineEnds(blank),
    bytes: trimEnd(text).length - blank.length,
  }
}
