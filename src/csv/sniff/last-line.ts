/** A last line that sums up the rows above it, or is empty, and is a row for whoever does not know. */
import type { Warning } from '../../model.ts'
import type { Dialect } from '../dialect.ts'
import { excerpt } from '../excerpt.ts'
import { Machine } from '../machine.ts'

const LF = 0x0a
const CR = 0x0d

/** “(12 rows)”, which tools of databases write below their results. */
const count = /^\(?\d+ rows?(?: (?:affected|selected|returned|fetched|in set(?: \([\d.]+ sec\))?))?\)?\.?$/i
const totals =
  /^(?:(?:grand |sub-?)?totals?|total général|totale?|totaal|(?:gesamt)?summe|(?:ins)?gesamt|somme|sum|suma|razem|celkem|összesen|итого|всего|合计|合計|总计|總計|합계)\s*:?$/i

/** @param tail the end of the text, so many bytes that the last line is whole. */
export function lastLineWarnings(tail: Buffer, dialect: Dialect, columns: number): Warning[] {
  const end = tail.findLastIndex((byte) => byte !== LF && byte !== CR) + 1
  const start = tail.subarray(0, end).findLastIndex((byte) => byte === LF || byte === CR) + 1
  const machine = new Machine(dialect)
  // A line that has more cells or less is a reject, which is told.
  if (machine.next(tail, start, end, true) !== 'record' || machine.count !== columns) return []
  const cells = machine.cells(tail).map((cell) => cell.trim())
  const first = cells.find((cell) => cell !== '')
  if (first === undefined) return columns > 1 ? [emptyRecord('the last line')] : []
  const isTotal = columns > 1 && first !== cells.at(-1) && totals.test(first)
  if (!isTotal && !(columns === 1 && count.test(first))) return []
  const message = `the last line (${excerpt(cells.join(dialect.delimiter))}) seems to sum up those above it, and is read as a record like any other: if it is none, take it out`
  return [{ code: 'summary-row', message }]
}

/** @param where which line, or which lines. */
export function emptyRecord(where: string): Warning {
  const message = `${where} has delimiters and nothing between them, and is read as a record like any other: if it is none, take it out`
  return { code: 'empty-record', message }
}
