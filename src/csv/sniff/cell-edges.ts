/** What nearly all cells begin and end with, and what may be meant as a part of the value or not: spaces and quotes. */
import type { Warning } from '../../model.ts'
import { nameOf } from './delimiters.ts'
import type { Reading } from './grade.ts'
import { lookedCells, spread } from './quality.ts'
import { cellsOf } from './trial.ts'

const lookedRows = 60
/** The share of the cells that makes a habit. */
const habit = 0.9

interface Edged {
  readonly text: string
  /** Whether it is the first of its record, or the last. */
  readonly first: boolean
  readonly last: boolean
}

/** Spaces around delimiters. */
export function spaceWarnings(reading: Reading): Warning[] {
  const { delimiter } = reading.trial.dialect
  const bare = delimiter.replace(/^ | $/g, '')
  if (bare === '') return []
  if (bare !== delimiter) {
    const message = `read with ${nameOf(delimiter)} as the delimiter, spaces included, since quotes stand behind or before them: if they belong to the values, say so with --delimiter '${bare}'`
    return [{ code: 'spaced-cells', message }]
  }
  const [top = [], ...below] = cellsFrom(reading)
  const body = below.length === 0 ? top : below.flat()
  const isBehind = (cells: readonly Edged[]) =>
    isHabit(
      cells.filter(({ first }) => !first),
      begins,
    )
  const isBefore = (cells: readonly Edged[]) =>
    isHabit(
      cells.filter(({ last }) => !last),
      ends,
    )
  const [behind, before] = [isBehind(body), isBefore(body)]
  if (behind || before) {
    const where = behind && before ? 'on both sides' : behind ? 'behind it' : 'before it'
    const spaced = `${before ? ' ' : ''}${delimiter === '\t' ? '\\t' : delimiter}${behind ? ' ' : ''}`
    const fits = (!behind || isBehind(top)) && (!before || isBefore(top))
    const advice = fits ? `: if it is none, say so with --delimiter '${spaced}'` : ''
    const message = `nearly every ${nameOf(delimiter).replace(/^a /, '')} has a space ${where}, which is kept as a part of the value${advice}`
    return [{ code: 'spaced-cells', message }]
  }
  if (!isHabit(body, (cell) => begins(cell) || ends(cell))) return []
  return [
    { code: 'spaced-cells', message: 'nearly all values begin or end with spaces, which are kept as a part of them' },
  ]
}

function begins({ text }: Edged): boolean {
  return text.startsWith(' ')
}

function ends({ text }: Edged): boolean {
  return text.endsWith(' ')
}

/** Quotes that only a typesetter takes for such. */
export function fancyQuoteWarnings(reading: Reading): Warning[] {
  const isQuoted = ({ text }: Edged) => /^\s*(?:[“”„«»].*[“”»«]|`.*[`´'])\s*$/s.test(text)
  if (!isHabit(cellsFrom(reading).flat(), isQuoted)) return []
  const message =
    'nearly all values stand in typographic quotes or backticks, which are read as text: if they are meant as quotes, make straight ones of them'
  return [{ code: 'quote-guess', message }]
}

/** Of each row, those that have text and no quotes. */
function cellsFrom({ trial, start, width }: Reading): Edged[][] {
  const rows = trial.rows.slice(start).filter((row) => row.sound && row.width === width)
  return spread(rows, lookedRows).map((row) =>
    cellsOf(trial, row, lookedCells)
      .map(({ text, quoted }, at) => ({ text, quoted, first: at === 0, last: at === width - 1 }))
      .filter(({ text, quoted }) => !quoted && text.trim() !== ''),
  )
}

function isHabit(cells: readonly Edged[], has: (cell: Edged) => boolean): boolean {
  return cells.length > 0 && cells.filter(has).length >= cells.length * habit
}
