/** Rows that are read as records, though they may be something else. */
import type { Warning } from '../../model.ts'
import { isMarked } from '../text/marks.ts'
import type { Reading } from './grade.ts'
import { emptyRecord } from './last-line.ts'
import { columnOf, isLikeValues } from './labels.ts'
import { bodyOf } from './preamble.ts'
import { lookedCells } from './quality.ts'
import { cellsOf, type Row } from './trial.ts'

/** Records that a row is compared with, and how few of them prove nothing. */
const comparedRows = 20
const fewRows = 3

/** @param first the index of the header's row, or of the first record's. */
export function strangeRows(reading: Reading, first: number, hasHeader: boolean): Warning[] {
  return [
    ...drawnWarnings(reading, first),
    ...(hasHeader ? [...secondHeader(reading, first), ...repeatedHeader(reading, first)] : []),
    ...joinedFiles(reading, first),
    ...emptyRecords(reading, first),
  ]
}

/** Lines of dashes, between the header and the records or among them. */
function drawnWarnings({ trial }: Reading, first: number): Warning[] {
  const [line] = trial.rules.filter((rule) => rule > (trial.rows[first]?.line ?? 0))
  if (line === undefined) return []
  const message = `line ${line} only draws a table, as for people to look at, and is read as a record like any other: save the table as CSV`
  return [{ code: 'drawn-table', message }]
}

/** A row below the header that has text in every column in which all the others have numbers or dates. */
function secondHeader({ trial, width }: Reading, first: number): Warning[] {
  const row = trial.rows[first + 1]
  if (row === undefined || !row.sound || row.width !== width) return []
  const body = bodyOf(trial, first + 1, width, comparedRows)
  if (body.length < fewRows) return []
  const columns = cellsOf(trial, row, lookedCells).map(({ text }, at) =>
    columnOf(
      text,
      body.map((cells) => cells[at]?.text ?? ''),
    ),
  )
  const typed = columns.filter(({ kind, exceptions, values, look }) => {
    const isTypedBelow = (kind === 'numeric' || kind === 'temporal') && exceptions === 0 && values.length >= fewRows
    return isTypedBelow && look !== 'empty'
  })
  if (typed.length === 0 || typed.some(isLikeValues)) return []
  const message = `line ${row.line} is read as a record, though it has text where those below it have numbers or dates: if it is a second line of the header, such as units, take it out`
  return [{ code: 'second-header', message }]
}

function repeatedHeader({ trial }: Reading, first: number): Warning[] {
  // Programs differ in what they quote.
  const bare = (row: Row | undefined) => textOf(trial.sample, row).replaceAll(trial.dialect.quote ?? '', '')
  const header = bare(trial.rows[first])
  const again = trial.rows.slice(first + 1).filter((row) => bare(row) === header)
  const [row] = again
  if (row === undefined) return []
  const more = again.length > 1 ? `, and ${again.length - 1} more lines as well` : ''
  const message = `line ${row.line} is the header once more${more}, and is read as a record like any other: if files were joined there, take it out`
  return [{ code: 'repeated-header', message }]
}

function joinedFiles({ trial }: Reading, first: number): Warning[] {
  const row = trial.rows.slice(first + 1).find(({ start }) => isMarked(trial.sample, start))
  if (row === undefined) return []
  const message = `line ${row.line} begins with a byte-order mark, which stays a part of its first value: if files were joined there, take it out`
  return [{ code: 'byte-order-mark', message }]
}

function emptyRecords({ trial, width }: Reading, first: number): Warning[] {
  const isEmpty = ({ sound, filled, quoted, width: cells }: Row) => sound && filled + quoted === 0 && cells === width
  const [row, ...others] = width > 1 ? trial.rows.slice(first + 1).filter(isEmpty) : []
  if (row === undefined) return []
  const more = others.length > 0 ? `, like ${others.length} more,` : ''
  return [emptyRecord(`line ${row.line}${more}`)]
}

function textOf(sample: Buffer, row: Row | undefined): string {
  return row === undefined ? '' : sample.toString('latin1', row.start, row.end).trimEnd()
}
