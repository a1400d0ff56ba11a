/**
 * A correction: rejected records of another task, sent back in the form of `fixable.ts`. What is beside their cells is left
 * out, and a record that still cannot be split, because nobody has filled in its cells, is a reject again.
 */
import { AppError } from '../errors.ts'
import type { ReaderOptions } from '../definition.ts'
import type { Column } from './columns.ts'

/** The columns beside those of the original. */
export const columnsBefore = ['_line', '_code', '_message'] as const
export const rawColumn = '_raw'

/** How it is written, whatever the original was like. */
export const fixableForm: ReaderOptions = {
  encoding: 'utf-8',
  delimiter: ',',
  quote: '"',
  escape: '"',
  comment: '',
  header: true,
  skipLines: 0,
}

export interface Correction {
  /** Where the columns of the original stand. */
  readonly positions: readonly number[]
  /** Where a record stands that could not be split. */
  readonly raw: number
}

/** @throws {AppError} rejected, when there is not each column that a list of fixable rejects has. */
export function correctionIn(header: readonly string[], file: string): Correction {
  const before = columnsBefore.map((name) => header.indexOf(name))
  // The original may have columns of these names, too: they stand between.
  const raw = header.lastIndexOf(rawColumn)
  const missing = [...columnsBefore, rawColumn].find((name) => !header.includes(name))
  if (missing === undefined) {
    const positions = header.map((_, position) => position)
    return { positions: positions.filter((position) => position !== raw && !before.includes(position)), raw }
  }
  throw new AppError(
    'rejected',
    `${file} line 1: column “${missing}” is missing. To correct rejects, take the list that is called fixable, put its cells ` +
      'right, and send it back with all its columns: UTF-8, with commas between the cells.',
    { details: { file, line: 1, column: missing, reason: 'missing-label' } },
  )
}

/** @throws {AppError} rejected, when there are more records than were rejected. */
export function refuseMore(
  files: readonly { readonly name: string; readonly reading: { readonly records: number } }[],
  most: number,
): void {
  for (const { name, reading } of files) {
    if (reading.records <= most) continue
    const message = `${name} has ${reading.records} records, and ${most} are there to be corrected. Send these alone, each once.`
    throw new AppError('rejected', message, { details: { file: name, records: reading.records, most } })
  }
}

/** The labels of the original. */
export function labelsOf(header: readonly string[], correction: Correction | undefined): readonly string[] {
  return correction === undefined ? header : correction.positions.map((position) => header[position] ?? '')
}

/** Columns found among these labels, at their places in the file. */
export function placed(columns: readonly Column[], correction: Correction | undefined): readonly Column[] {
  if (correction === undefined) return columns
  return columns.map((column) => ({
    ...column,
    position: column.position === null ? null : (correction.positions[column.position] ?? null),
  }))
}

/** True for a record of which nothing was filled in. */
export function uncorrectedSql({ positions, raw }: Correction): string {
  return [`c${raw} IS NOT NULL`, ...positions.map((position) => `c${position} IS NULL`)].join(' AND ')
}
