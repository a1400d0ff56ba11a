/**
 * How a file is to be read, found out from its beginning: what stands between cells and around them, where the table
 * begins, and whether it has a header. Every guess says how it was come by and how sure it is, and gives way to what is
 * given.
 *
 * The sample is read under every dialect that comes into question, by the same machine that reads the file afterwards,
 * and the dialect under which it looks most like a table is taken (`sniff/grade.ts`). What is looked at is bounded: at
 * most 256 KiB or 1000 records each time, but all of the sample where its records are longer than that.
 */
import type { Warning } from '../model.ts'
import type { ReaderOptions } from '../definition.ts'
import type { Dialect } from './dialect.ts'
import { Machine } from './machine.ts'
import { type Alternative, type Choice, choose } from './sniff/choose.ts'
import { nameOf } from './sniff/delimiters.ts'
import { headerEvidence } from './sniff/header.ts'
import { bodyOf, startOf } from './sniff/preamble.ts'
import { lookedCells } from './sniff/quality.ts'
import { cellsOf, isBlank, nextLine, type Row, type Span } from './sniff/trial.ts'
import { warningsOf } from './sniff/warnings.ts'

export type { Alternative } from './sniff/choose.ts'

/** Records that the header is compared with. */
const comparedRows = 100

export type How = 'given' | 'guess' | 'default'

export interface Sniffed {
  /** Of a sample that is empty, or blank (spaces and line ends), the rest says nothing. */
  readonly content: 'records' | 'blank' | 'empty'
  readonly dialect: Dialect
  readonly how: Readonly<Record<keyof Dialect, How>>
  /** In the dialect as a whole, 0 to 1. */
  readonly confidence: number
  readonly evidence: string
  /** Other dialects under which the sample is consistent, the likeliest first. */
  readonly alternatives: readonly Alternative[]
  readonly preamble: Preamble
  readonly header: Header
  /** The cells that a record has: that most of the sample's have. */
  readonly columns: number
  readonly warnings: readonly Warning[]
}

/** What stands before the header, or before the first record where there is none. */
export interface Preamble {
  readonly how: How
  readonly confidence: number
  readonly evidence: string
  /** Physical lines, and bytes of the sample. */
  readonly lines: number
  readonly bytes: number
}

export interface Header {
  readonly present: boolean
  readonly how: How
  readonly confidence: number
  readonly evidence: string
  /** Undefined where there is no header, where its quotes are broken, and where the sample ends before it does. */
  readonly cells: readonly string[] | undefined
  /** Places in the sample of the header, or without one of the first record; `end` is behind its line end. */
  readonly start: number
  readonly end: number
  /** 1-based physical line. */
  readonly line: number
}

export interface SniffOptions {
  /** Whether the sample is the whole file. If not, it may end anywhere, and a last record without its end is left out. */
  readonly whole: boolean
  readonly given: ReaderOptions
  /** What the columns that were declared say of the rest, for certain. */
  readonly found?: ReaderOptions | undefined
}

/** @param sample UTF-8 text from the beginning of a file, its mark removed. */
export function sniff(sample: Buffer, { whole, given: asked, found }: SniffOptions): Sniffed {
  const given = { ...asked, ...found }
  const separator = given.skipLines === undefined ? separatorOf(sample) : undefined
  const skip = given.skipLines ?? (separator === undefined ? 0 : 1)
  const span = spanOf(sample, skip, whole, given.skipLines !== undefined)
  const content = sample.length === 0 ? 'empty' : isBlank(sample.subarray(span.from)) ? 'blank' : 'records'
  let choice = choose(sample, span, { ...given, delimiter: given.delimiter ?? separator })
  // What the first line says is believed as long as it parts something.
  if (separator !== undefined && choice.reading.width === 1) choice = choose(sample, span, given)
  const isCut = choice.reading.trial.rows.length === 0 && !whole
  if (isCut) choice = choose(sample, { ...span, last: true }, given)
  const { reading } = choice
  const { first, ...table } = tableOf(choice, { sample, span, given, asked, separator, isCut })
  const guesses = { ...dialectOf(choice, given), ...table }
  const warnings = content === 'records' ? warningsOf(guesses, asked, { reading, first, whole }) : []
  return { content, ...guesses, warnings }
}

function dialectOf({ reading, dialect, confidence, evidence, alternatives }: Choice, given: ReaderOptions) {
  const isPlain = reading.trial.quoted === 0 && dialect === reading.trial.dialect && dialect.quote === '"'
  const guessed = isPlain ? 'default' : 'guess'
  const quote: How = given.quote !== undefined ? 'given' : guessed
  const delimiter = reading.width > 1 || dialect.delimiter !== ',' ? 'guess' : 'default'
  const how: Sniffed['how'] = {
    delimiter: given.delimiter !== undefined ? 'given' : delimiter,
    quote,
    escape: given.escape !== undefined ? 'given' : dialect.quote === null ? quote : guessed,
    comment: given.comment !== undefined ? 'given' : 'default',
  }
  return { dialect, how, confidence: round(confidence), evidence, alternatives, columns: reading.width }
}

interface Found {
  readonly sample: Buffer
  readonly span: Span
  readonly given: ReaderOptions
  /** Of what is given: without what was found out by the declared columns. */
  readonly asked: ReaderOptions
  /** What the first line, being one for Excel, says of the delimiter. */
  readonly separator: string | undefined
  /** Whether the sample ends before the first record does. */
  readonly isCut: boolean
}

interface Table extends Pick<Sniffed, 'preamble' | 'header'> {
  /** The index of the row that it begins with. */
  readonly first: number
}

function tableOf(choice: Choice, found: Found): Table {
  const { sample, span, given, asked, separator } = found
  const { trial } = choice.reading
  const isGiven = given.skipLines !== undefined
  const known = asked.skipLines === undefined ? 'the declared columns stand in the line below' : 'given'
  const start = isGiven ? { row: 0, confidence: 1, reason: known } : startOf(choice.reading)
  const row = trial.rows[start.row]
  const place = { start: row?.start ?? span.from, end: row?.end ?? span.from, line: row?.line ?? span.line }
  const preamble: Preamble = {
    how: asked.skipLines !== undefined ? 'given' : isBlank(sample.subarray(0, place.start)) ? 'default' : 'guess',
    confidence: round(start.confidence),
    evidence: separator === undefined ? start.reason : `the first line is for Excel, and names ${nameOf(separator)}`,
    lines: (isGiven ? span.line : place.line) - 1,
    bytes: isGiven ? span.from : place.start,
  }
  return { preamble, header: { ...headerOf(choice, start.row, found), ...place }, first: start.row }
}

function headerOf({ reading, dialect }: Choice, start: number, { sample, given, isCut }: Found) {
  const { trial, width } = reading
  const row = trial.rows[start]
  const isReadable = row !== undefined && row.sound && !isCut
  const cells = isReadable ? allCells(sample, dialect, row) : undefined
  if (given.header !== undefined) {
    const known = { present: given.header, how: 'given', confidence: 1, evidence: 'given' } as const
    return { ...known, cells: given.header ? cells : undefined }
  }
  if (row === undefined) {
    return { present: false, how: 'default', confidence: 0, evidence: 'there is no record', cells: undefined } as const
  }
  const body = bodyOf(trial, start, width, comparedRows)
  const { odds, evidence, reason } = headerEvidence(cellsOf(trial, row, lookedCells), body)
  // Broken quotes at the top are those of a header: without it, the file cannot be read.
  const present = odds > 0 || !row.sound
  return {
    present,
    how: Math.abs(evidence) < 0.5 ? 'default' : 'guess',
    confidence: row.sound ? round(1 / (1 + Math.exp(-Math.abs(odds)))) : 0,
    evidence: row.sound ? reason : 'its quotes are broken',
    cells: present ? cells : undefined,
  } as const
}

function allCells(sample: Buffer, dialect: Dialect, row: Row): string[] {
  const machine = new Machine(dialect)
  machine.next(sample, row.start, row.end, true)
  return machine.cells(sample)
}

/** `sep=;`, with which Excel says what the delimiter is. */
function separatorOf(sample: Buffer): string | undefined {
  const end = nextLine(sample, 0, Math.min(sample.length, 16))
  const line = sample.toString('utf8', 0, end).replace(/[\r\n]+$/, '')
  const [, separator] = /^"?sep=(\|\||[^"])"?$/iu.exec(line) ?? []
  return separator
}

/** What is left of the sample behind the lines that are skipped. */
function spanOf(sample: Buffer, skip: number, last: boolean, fixed: boolean): Span {
  let from = 0
  let line = 1
  while (line <= skip && from < sample.length) {
    from = nextLine(sample, from, sample.length)
    line++
  }
  return { from, to: sample.length, line, last, fixed }
}

function round(share: number): number {
  return Math.round(share * 100) / 100
}
