/** Where the table begins that a reading has found: below titles, notes and blank lines that someone put above it. */
import type { Reading } from './grade.ts'
import { headerEvidence } from './header.ts'
import { wordVote } from './labels.ts'
import { isTyped, lookOf } from './looks.ts'
import { lookedCells, spread } from './quality.ts'
import { type Cell, cellsOf, type Row, type Trial } from './trial.ts'

/** Rows of a preamble that is as wide as the table. */
const longestPreamble = 20
/** Records that a row is compared with to tell whether it may be the header. */
const comparedRows = 20

export interface Start {
  /** The index of the row with which the table begins. */
  readonly row: number
  readonly confidence: number
  readonly reason: string
}

const atOnce: Start = { row: 0, confidence: 0.97, reason: 'the table begins at once' }

/** Cells of up to `limit` rows below one, spread over the sample. */
export function bodyOf(trial: Trial, start: number, width: number, limit: number): Cell[][] {
  const rows = trial.rows.slice(start + 1).filter((row) => row.sound && row.width === width)
  return spread(rows, limit).map((row) => cellsOf(trial, row, lookedCells))
}

type Finder = (trial: Trial, start: number, width: number) => number | undefined

const finders: readonly (readonly [find: Finder, why: string])[] = [
  [belowMarked, 'the lines above begin with #'],
  [belowSparse, 'the rows above are nearly empty'],
  [belowBlank, 'the rows above do not fit into the table'],
  [(_, start) => start, 'the rows above are narrower than the table'],
]

export function startOf({ trial, start, width }: Reading): Start {
  const { rows } = trial
  for (const [find, why] of finders) {
    const row = find(trial, start, width)
    if (row === undefined || row === 0) continue
    const parted = rows[row]?.parted === true
    const isLabelled = labels(trial, row, width) >= 2
    const isNarrow = rows.slice(0, row).every((above) => above.width <= Math.max(1, width / 3))
    const confidence = 0.5 + (parted ? 0.2 : 0) + (isLabelled ? 0.2 : 0) + (isNarrow ? 0.08 : 0)
    const more = [
      ...(parted ? ['a blank line parts them from it'] : []),
      ...(isLabelled ? ['its first row has labels'] : []),
    ]
    return { row, confidence, reason: [why, ...more].join(', ') }
  }
  return atOnce
}

/** How much speaks for labels in a row, with regard to what is below it down to the next blank line. */
function labels(trial: Trial, at: number, width: number): number {
  const row = trial.rows[at]
  if (row === undefined || !row.sound) return 0
  const next = trial.rows.findIndex((below, i) => i > at + 1 && below.parted)
  const rows = next < at + 3 ? trial.rows : trial.rows.slice(0, next)
  const body = bodyOf({ ...trial, rows }, at, width, comparedRows)
  return body.length === 0 ? 0 : headerEvidence(cellsOf(trial, row, lookedCells), body).evidence
}

/** Lines that begin with # are notes, but for the last of them if they are as wide as the table: “#id,name”. */
function belowMarked(trial: Trial, start: number, width: number): number | undefined {
  const rows = trial.rows.slice(start)
  const notes = rows.slice(
    0,
    Math.max(
      0,
      rows.findIndex((row) => !row.marked),
    ),
  )
  // Of one line alone, a cell more or less makes a ragged header.
  const last = notes.findLastIndex((row) => (notes.length > 1 ? row.width !== width : row.width <= width / 2))
  return last < 0 ? undefined : start + last + 1
}

/** Rows as wide as the table in which hardly a cell is filled, as Excel writes a title above a table. */
function belowSparse(trial: Trial, start: number, width: number): number | undefined {
  const { rows } = trial
  const most = Math.max(1, Math.floor(width / 2))
  const isSparse = (row: Row | undefined) => row !== undefined && row.filled <= most
  let next = start
  while (next < start + longestPreamble && isSparse(rows[next])) next++
  const first = rows[next]
  const filled = rows.findIndex((row, at) => at >= start && row.filled > 0)
  const behindNothing = filled > start ? filled : undefined
  if (next === start || first?.width !== width || first.filled < Math.max(2, width * 0.6)) return behindNothing
  const evidence = labels(trial, next, width)
  if (evidence >= 1.5) return next
  // Without labels, a title must be one, and the table be full: unless what comes next is a record like the others.
  const isFull = (row: Row) => row.filled >= Math.max(2, width * 0.8)
  const below = rows.slice(next + 1).filter((row) => row.width === width)
  const isTitle = width > 2 && rows.slice(start, next).every((row) => isTitleRow(trial, row))
  const isTable = below.length > 0 && [first, ...below].filter(isFull).length > below.length * 0.8
  return isTitle && isTable && evidence > -1 ? next : behindNothing
}

/** Whether no cell but one has text, and that more than a column's label. */
function isTitleRow(trial: Trial, row: Row): boolean {
  const [only, ...others] = cellsOf(trial, row, lookedCells).filter(({ text }) => text.trim() !== '')
  return only === undefined || (others.length === 0 && (only.text.includes(' ') || wordVote(only.text) === 0))
}

/** A table below a blank line, with labels, under rows that have as many cells but do not fit into its columns. */
function belowBlank(trial: Trial, start: number, width: number): number | undefined {
  const { rows } = trial
  // What has labels itself is a table as well, and the first one counts.
  if (labels(trial, start, width) >= 1) return undefined
  const last = Math.min(rows.length - 1, start + longestPreamble)
  for (let at = start + 1; at < last; at++) {
    if (rows[at]?.parted !== true || rows.length - at < at - start) continue
    if (labels(trial, at, width) < 2) continue
    const body = bodyOf(trial, at, width, comparedRows)
    if (!rows.slice(start, at).some((row) => fits(cellsOf(trial, row, lookedCells), body))) return at
  }
  return undefined
}

/** Whether the cells have numbers, dates and the like in the columns where the records have them. */
function fits(cells: readonly Cell[], body: readonly (readonly Cell[])[]): boolean {
  const isKnown = (row: readonly Cell[], at: number) => isTyped(lookOf(row[at]?.text ?? ''))
  const columns = cells
    .map((_, at) => at)
    .filter((at) => body.filter((row) => isKnown(row, at)).length > body.length * 0.8)
  return columns.length > 0 && columns.every((at) => isKnown(cells, at))
}
