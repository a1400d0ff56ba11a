/** A sample read under one dialect: where its records are and how many cells they have. */
import type { Dialect } from '../dialect.ts'
import { isQuoted, Machine } from '../machine.ts'
import { marksAt } from '../text/marks.ts'
import { isRule } from './rules.ts'

const LF = 0x0a
const CR = 0x0d
const HASH = 0x23

/** What of a sample is looked at. */
const windowBytes = 256 << 10
const windowRows = 1000
/** Fewer, and the whole sample is looked at: records may be longer than the window. */
const fewRows = 3
/** A record that has not ended after so many lines was perhaps begun by a quote that nothing closes. */
const longestRecord = 100

/** The part of a sample that is to be read. */
export interface Span {
  readonly from: number
  readonly to: number
  /** Physical line at `from`, 1-based. */
  readonly line: number
  /** Whether the file ends at `to`. */
  readonly last: boolean
  /** Whether the table is known to begin at `from`, whatever stands there. */
  readonly fixed: boolean
}

export interface Row {
  /** Places in the sample, behind a byte-order mark and behind the line end. */
  readonly start: number
  readonly end: number
  /** 1-based. */
  readonly line: number
  readonly lines: number
  /** False: its quotes are broken. */
  readonly sound: boolean
  /** How many cells it has; of one that is not sound, how many it would have without quotes. */
  readonly width: number
  /** How many of its cells have text, and how many are quoted. */
  readonly filled: number
  readonly quoted: number
  /** Whether a blank line, or one of nothing but delimiters, stands above it. */
  readonly parted: boolean
  /** Whether it begins with #. */
  readonly marked: boolean
}

export interface Trial {
  readonly dialect: Dialect
  readonly sample: Buffer
  readonly rows: readonly Row[]
  /** Rows with broken quotes. */
  readonly faults: number
  /** Quoted cells. */
  readonly quoted: number
  /** The lines that only draw a table, and are none of the rows. */
  readonly rules: readonly number[]
  /** The first row whose quotes reach beyond the span, which may be its fault or the span's. */
  readonly open: number | undefined
}

/** Reads up to 1000 records of up to 256 KiB, or of the whole span where these are too few. */
export function readTrial(sample: Buffer, dialect: Dialect, span: Span): Trial {
  const to = Math.min(span.to, span.from + windowBytes)
  const trial = readRows(sample, dialect, { ...span, to, last: span.last && to === span.to }, windowRows)
  const { rows, open } = trial
  if (to === span.to || (rows.length >= fewRows && open === undefined)) return trial
  const further = readRows(sample, dialect, span, Math.max(fewRows, (open ?? 0) + 1))
  return open === undefined || further.rows[open]?.sound === true ? further : trial
}

/**
 * Reads up to `limit` records. What a broken quote swallows is read again from the next line, within bounds. A record
 * that ends behind the span, and not within it, is left out.
 */
export function readRows(sample: Buffer, dialect: Dialect, span: Span, limit: number): Trial {
  const machine = new Machine(dialect)
  const { to, last, fixed } = span
  const rows: Row[] = []
  const rules: number[] = []
  let [at, line, parted] = [span.from, span.line, false]
  let budget = 4 * (to - at)
  let open: number | undefined
  while (at < to && rows.length < limit) {
    const start = at + marksAt(sample, at)
    const outcome = machine.next(sample, start, to, last)
    if (outcome === 'blank' || outcome === 'comment') {
      at = machine.end
      line += machine.lines
      parted ||= outcome === 'blank'
      continue
    }
    const { count: width } = machine
    const marked = sample[start] === HASH
    if (outcome === 'record') {
      const filled = countFilled(machine, sample)
      const quotes = machine.kinds.subarray(0, width).filter(isQuoted).length
      const { end, lines } = machine
      // A line of spaces is as good as a blank one, for a look at the file's form.
      const isRow = filled > 0 || quotes > 0 || width > 1
      const isFirst = fixed && rows.length === 0
      if (!isFirst && isRule(sample, start, machine.textEnd)) rules.push(line)
      else if (isRow) rows.push({ start, end, line, lines, sound: true, width, filled, quoted: quotes, parted, marked })
      parted = filled === 0
      at = end
      line += lines
      continue
    }
    const reached = outcome === 'more' ? to : machine.end
    budget -= reached - at
    if (outcome === 'more') {
      if (machine.lines <= longestRecord) break
      open ??= rows.length
    }
    // Where the quotes reach over lines, the next line may begin a sound record; once in a while that is looked at.
    const goesOn = machine.lines > 0 && budget < 0 ? reached : start
    const end = nextLine(sample, goesOn, to)
    const lines = goesOn === start ? 1 : machine.lines + 1
    const cells = countCells(sample.subarray(start, end), dialect.delimiter)
    rows.push({ start, end, line, lines, sound: false, width: cells, filled: cells, quoted: 0, parted, marked })
    parted = false
    at = end
    line += lines
  }
  const counted = open === undefined ? rows : believed(rows, open)
  const faults = counted.filter(({ sound }) => !sound).length
  const quoted = counted.reduce((sum, row) => sum + row.quoted, 0)
  const end = rows[counted.length]?.line ?? line
  return { dialect, sample, rows: counted, faults, quoted, rules: rules.filter((rule) => rule < end), open }
}

/**
 * Where quotes reach beyond the span, the lines within them are rows only if they look like those above: then the quote
 * is broken. Otherwise they are the text of a long value, whose end is out of sight.
 */
function believed(rows: readonly Row[], open: number): readonly Row[] {
  const above = rows.slice(0, open)
  const widths = new Set(above.filter(({ sound }) => sound).map(({ width }) => width))
  const within = rows.slice(open + 1).filter(({ sound }) => sound)
  const alike = within.filter(({ width }) => widths.has(width))
  return widths.size === 0 || (within.length > 0 && alike.length * 2 >= within.length) ? rows : above
}

/** The cells of a row, up to so many. */
export function cellsOf({ sample, dialect }: Trial, row: Row, limit: number): Cell[] {
  const machine = new Machine(dialect)
  machine.next(sample, row.start, row.end, true)
  const cells: Cell[] = []
  for (let i = 0; i < Math.min(machine.count, limit); i++) {
    cells.push({ text: machine.cell(sample, i), quoted: isQuoted(machine.kinds[i]) })
  }
  return cells
}

export interface Cell {
  readonly text: string
  readonly quoted: boolean
}

/** As if there were no quotes. */
function countCells(line: Buffer, delimiter: string): number {
  const bytes = Buffer.from(delimiter)
  let cells = 1
  for (let at = line.indexOf(bytes); at >= 0; at = line.indexOf(bytes, at + bytes.length)) cells++
  return cells
}

function countFilled(machine: Machine, sample: Buffer): number {
  let filled = 0
  for (let i = 0; i < machine.count; i++) {
    const end = machine.ends[i] ?? 0
    let at = machine.starts[i] ?? 0
    while (at < end && sample[at] === 0x20) at++
    if (at < end) filled++
  }
  return filled
}

/** Where the next physical line begins. */
export function nextLine(sample: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (sample[at] === LF) return at + 1
    if (sample[at] === CR) return sample[at + 1] === LF ? at + 2 : at + 1
  }
  return to
}

/** Whether there is nothing but spaces and line ends. */
export function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === LF || byte === CR)
}
