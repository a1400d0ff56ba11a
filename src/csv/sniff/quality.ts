/**
 * What the cells of a reading are worth: whether they look like numbers, dates and words, or like the debris of other
 * cells, which is what a wrong dialect makes of them.
 */
import { isTyped, lookOf } from './looks.ts'
import { type Cell, cellsOf, type Row, type Trial } from './trial.ts'

/** Cells that are looked at: rows spread over the sample, and the first cells of each. */
const lookedRows = 60
export const lookedCells = 50
/** Characters of a cell that are looked at. */
const lookedText = 2000

const QUOTE = 0x22
const APOSTROPHE = 0x27

/** Shares, 0 to 1; of the cells that have text where nothing else is said. */
export interface Quality {
  /** The mean of what the cells are worth. */
  readonly worth: number
  readonly typed: number
  readonly quoted: number
  /** Of cells that begin with a space. */
  readonly spaced: number
  /** Of all cells: those without text. */
  readonly empty: number
  /** Of the rows: those in which something of another dialect is left. */
  readonly debris: number
  /** Whether nothing ever stands behind the last delimiter. */
  readonly isEnded: boolean
}

export function qualityOf(trial: Trial, rows: readonly Row[], delimiter: string): Quality {
  let [cells, filled, typed, quoted, spaced, worth, debris, looked] = [0, 0, 0, 0, 0, 0, 0, 0]
  const filledColumns = new Set<number>()
  for (const row of spread(rows, lookedRows)) {
    let least = 1
    for (const [column, cell] of cellsOf(trial, row, lookedCells).entries()) {
      cells++
      if (cell.text === '') continue
      filled++
      filledColumns.add(column)
      if (cell.quoted) quoted++
      else if (cell.text.startsWith(' ')) spaced++
      const known = isTyped(lookOf(cell.text))
      if (known) typed++
      const value = worthOf(cell, known, delimiter)
      worth += value
      least = Math.min(least, value)
    }
    if (least <= isDebris) debris++
    looked++
  }
  const width = Math.min(rows[0]?.width ?? 0, lookedCells)
  // Half a delimiter, “||” read as “|”: every other column has neither a label nor a value. These count, for nothing.
  const columns = Array.from({ length: width }, (_, column) => column)
  const isHalved = width > 2 && columns.every((column) => filledColumns.has(column) === (column % 2 === 0))
  const all = isHalved ? filled + Math.floor(width / 2) * looked : filled
  const share = (count: number, of: number) => (of === 0 ? 0 : count / of)
  return {
    worth: all === 0 ? 0.5 : worth / all,
    typed: share(typed, filled),
    quoted: share(quoted, filled),
    spaced: share(spaced, filled),
    empty: 1 - share(filled, cells),
    debris: share(debris, looked),
    isEnded: !filledColumns.has(width - 1),
  }
}

/** So many of the rows, spread evenly. */
export function spread(rows: readonly Row[], limit: number): Row[] {
  const step = Math.max(1, rows.length / limit)
  return rows.filter((_, at) => Math.floor(at % step) === 0).slice(0, limit)
}

/** A cell worth no more is what is left of another one. */
const isDebris = 0.15

/** From 0, surely a piece of something that another dialect reads as a whole, to 1, surely a value. */
function worthOf({ text, quoted }: Cell, known: boolean, delimiter: string): number {
  if (quoted) return 1
  const looked = text.slice(0, lookedText)
  if (looked.includes('\t') || looked.includes('\u001f') || looked.includes('\u0001')) return 0.05
  const trimmed = looked.trim()
  const first = trimmed.charCodeAt(0)
  const last = trimmed.charCodeAt(trimmed.length - 1)
  if (first === QUOTE) return last === QUOTE ? isDebris : 0.1
  // One quote at the end may be inches.
  if (last === QUOTE) return trimmed.indexOf('"') === trimmed.length - 1 ? 0.5 : 0.1
  if (known) return 1
  let worth = looked.includes(' ') ? 0.85 : 0.92
  if (looked.startsWith(' ') && delimiter !== ' ') worth *= 0.5
  if (first === APOSTROPHE && last === APOSTROPHE && trimmed.length > 2) worth *= 0.5
  if (looked.includes('"')) worth *= 0.7
  if (looked.includes('|')) worth *= 0.45
  if (looked.includes(';')) worth *= 0.5
  if (/,(?! )/.test(looked)) worth *= 0.7
  return isUnclosed(looked) ? worth * 0.4 : worth
}

/** Whether brackets are opened and not closed, or the other way round. */
function isUnclosed(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[()[\]{}]/g)) {
    depth += '([{'.includes(bracket) ? 1 : -1
    if (depth < 0) return true
  }
  return depth !== 0
}
