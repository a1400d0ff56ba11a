/** Why a database does not take an output, said once for all of them. */
import { AppError } from '../errors.ts'

export function notATable(name: string): AppError {
  return new AppError('unprocessable', `${name} is no table that rows can be put into. Name a table.`)
}

/** @param dependents what another table in its place would leave with the old one. */
export function heldBack(table: string, dependents: readonly string[]): AppError {
  return new AppError(
    'conflict',
    `The table ${table} cannot be replaced by another: ${dependents.join(', ')} would stay with the old one. Append, upsert, or drop what depends on it.`,
    { details: { table, dependents } },
  )
}

/** Nothing in the table says that the key tells its rows apart. */
export function withoutKey(table: string, key: readonly string[]): AppError {
  return new AppError(
    'unprocessable',
    `The table ${table} has no unique index on ${key.map((name) => `“${name}”`).join(', ')}, so it cannot be told which rows an upsert changes. Create one.`,
    { details: { table, key } },
  )
}

export function keyedTwice(table: string, key: Readonly<Record<string, unknown>>): AppError {
  const what = Object.entries(key).map(([name, value]) => `${name} ${String(value)}`)
  return new AppError('unprocessable', `Two rows for the table ${table} have the same key: ${what.join(', ')}.`, {
    details: { table, key },
  })
}

/** A row that no later upsert would find. */
export function keyMissing(table: string, column: string): AppError {
  return new AppError(
    'unprocessable',
    `A row for the table ${table} has nothing in “${column}”, which is part of the key of the upsert. Fill it in, or leave such rows out.`,
    { details: { table, column } },
  )
}

/** What can stand in the way of an undo, and what to do then. */
const obstacles = {
  unknown: 'its database does not know of the load. Look whether it was restored from an older copy',
  notKept: 'nothing was kept that it takes. Correct the table by hand, or load it anew',
  tableGone: 'the table is gone. There is nothing left to take back',
  unmarked: 'its rows tell no more which task brought them, for the column _rowmill_task is gone',
  keptGone: 'what was kept for it is gone, since a later load has taken its place or somebody has dropped it',
  loadedSince: 'the table was loaded again since. Undo that first, the latest load before the others',
  changed: 'the table has other columns now. Give it back those that it had, or correct it by hand',
} as const

export function cannotUndo(table: string, obstacle: keyof typeof obstacles): AppError {
  return new AppError('conflict', `The load into the table ${table} cannot be undone: ${obstacles[obstacle]}.`, {
    details: { table },
  })
}
