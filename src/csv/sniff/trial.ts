/** A sample read under one dialect: where its records are and how many cells they have. */
import type { Dialect } from '../dialect.ts'
import { isQuoted, Machine } from '../machine.ts'

const LF = 0x0a
const CR = 0x0d
const HASH = 0x23

/** What of a sample is looked at. */
const windowBytes = 256 << 10
const windowRows = 1000
/** Fewer, and the whole sample is looked at: records may be longer than the window. */
const fewRows = 3
/** A record that has not ended after so many lines was begun by a quote that nothing closes. */
const longestRecord = 100

/** Bytes of a line with broken quotes in which delimiters are counted. */
const longestCounted = 16 << 10

/** The part of a sample that is to be read. */
export interface Span {
  readonly from: number
  readonly to: number
  /** Physical line at `from`, 1-based. */
  readonly line: number
  /** Whether the file ends at `to`. */
  readonly last: boolean
}

export interface Row {
  /** Places in the sample, `end` behind the line end. */
  readonly start: number
  readonly end: number
  /** 1-based. */
  readonly line: number
  readonly lines: number
  /** False: its quotes are broken. */
  readonly sound: boolean
  /** How many cells it has; of one that is not sound, how many it would have without quotes. */
  readonly width: number
  /** How many of its cells have text. */
  readonly filled: number
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
}

/** Reads up to 1000 records of up to 256 KiB, or of the whole span where these are too few. */
export function readTrial(sample: Buffer, dialect: Dialect, span: Span): Trial {
  const to = Math.min(span.to, span.from + windowBytes)
  const trial = readRows(sample, dialect, { ...span, to, last: span.last && to === span.to }, windowRows)
  if (trial.rows.length >= fewRows || trial.faults > 0 || to === span.to) return trial
  return readRows(sample, dialect, span, fewRows)
}

/** Reads up to `limit` records. What a broken quote swallows is read again from the next line, within bounds. */
export function readRows(sample: Buffer, dialect: Dialect, span: Span, limit: number): Trial {
  const machine = new Machine(dialect)
  const { to, last } = span
  const rows: Row[] = []
  let [at, line, parted, faults, quoted] = [span.from, span.line, false, 0, 0]
  let budget = 4 * (to - at)
  while (at < to && rows.length < limit) {
    const outcome = machine.next(sample, at, to, last)
    if (outcome === 'blank' || outcome === 'comment') {
      at = machine.end
      line += machine.lines
      parted ||= outcome === 'blank'
      continue
    }
    const { count: width } = machine
    const marked = sample[at] === HASH
    if (outcome === 'record') {
      const filled = countFilled(machine, sample)
      const quotes = machine.kinds.subarray(0, width).filter(isQuoted).length
      const { end, lines } = machine
      quoted += quotes
      // A line of spaces is as good as a blank one, for a look at the file's form.
      if (filled > 0 || quotes > 0 || width > 1) {
        rows.push({ start: at, end, line, lines, sound: true, width, filled, parted, marked })
      }
      parted = filled === 0
      at = end
      line += lines
      continue
    }
    const reached = outcome === 'more' ? to : machine.end
    budget -= reached - at
    if (outcome === 'more' && machine.lines <= longestRecord) break
    // Where the quotes reach over lines, the next line may begin a sound record; once in a while that is looked at.
    const goesOn = machine.lines > 0 && budget < 0 ? reached : at
    const end = nextLine(sample, goesOn, to)
    const lines = goesOn === at ? 1 : machine.lines + 1
    const cells = countCells(sample.subarray(at, end), dialect.delimiter)
    rows.push({ start: at, end, line, lines, sound: false, width: cells, filled: cells, parted, marked })
    faults++
    parted = false
    at = end
    line += lines
  }
  return { dialect, sample, rows, faults, quoted }
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

/** As if there were no quotes; of a longest line, those at its beginning. */
function countCells(line: Buffer, delimiter: string): number {
  return line.toString('latin1', 0, longestCounted).split(Buffer.from(delimiter).toString('latin1')).length
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
