/**
 * How well a dialect reads a sample: whether the records have the same number of cells, whether the quotes come out, and
 * whether the cells look like cells (`quality.ts`). The weights were found by trying them on many files.
 */
import { type Delimiter, noDelimiter } from './delimiters.ts'
import { isTyped, lookOf } from './looks.ts'
import { type Quality, qualityOf } from './quality.ts'
import { cellsOf, type Row, type Trial } from './trial.ts'

/** A reading of the sample: a dialect, where the table begins, and how many cells its records have. */
export interface Reading {
  readonly delimiter: Delimiter
  readonly trial: Trial
  /** The index of the row with which the table begins. */
  readonly start: number
  readonly width: number
  /** 0 to about 1. */
  readonly score: number
  /** The share of the records, from `start` on, that have `width` cells. */
  readonly consistency: number
  /** The share of the cells that have a type. */
  readonly typedShare: number
}

/** As a table of several columns. */
export function gradeTable(delimiter: Delimiter, trial: Trial, start: number, width: number): Reading {
  const rows = trial.rows.slice(start)
  const fits = (row: Row) => row.sound && row.width === width
  const matching = rows.filter(fits)
  const consistency = rows.length === 0 ? 0 : matching.length / rows.length
  const quality = qualityOf(trial, matching, delimiter.text)
  const score =
    quoteFactor(trial, quality) *
    consistency ** 1.5 *
    quality.worth *
    (1 - 0.7 * quality.debris) *
    (1 - 0.5 / width ** 2) *
    // Two columns, one of them empty, are one with a mark at the end of the line.
    (width === 2 && quality.isEnded ? 0.2 : 1) *
    (start === 0 ? firstRowFactor(rows[0], width) : aboveFactor(trial.rows, start, width, quality.typed)) *
    delimiter.trust *
    (delimiter.weak ? weakFactor(delimiter.text, width, rows, fits, quality) * (start === 0 ? 1 : 0.5) : 1)
  return { delimiter, trial, start, width, score, consistency, typedShare: quality.typed }
}

/** As one column: any file can be read so, which is why it counts for little unless the lines are values as they are. */
export function gradeList(trial: Trial): Reading {
  const delimiter = { text: trial.dialect.delimiter, trust: 1, weak: false }
  const { rows } = trial
  const [first, ...others] = rows.filter((row) => row.sound && row.width === 1)
  const matching = first === undefined ? 0 : others.length + 1
  const consistency = rows.length === 0 ? 0 : matching / rows.length
  const body = first === undefined || others.length > 0 ? others : [first]
  const quality = qualityOf(trial, body, noDelimiter)
  const known = 0.33 * quality.worth + 0.27 * quality.typed + (quality.quoted > 0.5 ? 0.3 : 0)
  // Below “a,b”, a value such as “1,5” is two.
  const isTorn = first !== undefined && cellsOf(trial, first, 1).some(({ text }) => isSeveral(text))
  const score = quoteFactor(trial, quality) * consistency ** 1.5 * (isTorn ? known * 0.7 : known)
  return { delimiter, trial, start: 0, width: 1, score, consistency, typedShare: quality.typed }
}

function isSeveral(text: string): boolean {
  return /[,;\t|]/.test(text) && !isTyped(lookOf(text))
}

/** Quotes cannot be text where most records have cells that begin or end with them. */
function quoteFactor({ dialect }: Trial, { debris }: Quality): number {
  return dialect.quote === null && debris > 0.5 ? 0 : 1
}

/** A first row that is not as wide as the others speaks against them, the more the less of a header it can be. */
function firstRowFactor(first: Row | undefined, width: number): number {
  if (first === undefined || first.width === width) return 1
  if (first.width === 1) return 0.5
  return Math.abs(first.width - width) === 1 || (first.width > width * 0.6 && first.width < width * 1.5) ? 0.95 : 0.75
}

/** So do rows above the table, unless a blank line parts them from it; the more of them, the fewer it has itself. */
function aboveFactor(rows: readonly Row[], start: number, width: number, typed: number): number {
  const share = start / (rows.length - start)
  if (rows[start]?.parted === true) return 0.98 - 0.1 * Math.min(3, share)
  const pairs = width > 2 ? 1 : typed > 0.2 ? 0.7 : 0.5
  return (typed > 0.2 ? 0.95 : 0.85) * (1 - 0.3 * Math.min(1, share)) * (share > 1 ? 0.4 : 1) * pairs
}

/** What a character that is common in text needs to be believed a delimiter. */
function weakFactor(
  delimiter: string,
  width: number,
  rows: readonly Row[],
  fits: (row: Row) => boolean,
  { typed, quoted, empty, spaced }: Quality,
): number {
  // The first row aside: a header may lack the label for the names of the rows.
  const below = rows.length > 3 ? rows.slice(1) : rows
  if (below.filter(fits).length < below.length * 0.95) return 0
  if (delimiter === '^' || delimiter === '~') return 1
  if (empty > 0.2 || (width < 3 && quoted < 0.5)) return 0
  const known = Math.min(1, typed + quoted)
  return delimiter === ' ' ? known : spaced > 0.1 ? 0 : 0.6 + 0.4 * known
}
