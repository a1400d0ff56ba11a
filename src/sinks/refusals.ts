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
