/**
 * An upsert, and what one would come to, in SQL that every database in a file knows: by way of a temporary table, so
 * that a row of the table can be told from another one of the same key among those that come.
 */
import { AppError } from '../../errors.ts'
import { identifier } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { Produced } from '../../ports.ts'
import { keyedTwice, keyMissing } from '../refusals.ts'
import {
  type Comparison,
  type FileDatabase,
  type Found,
  type InsertOptions,
  type Into,
  quoteText,
  writableColumns,
} from './database.ts'
import { checkTaken, checkUnmoved, type Counts, keyColumns, parseTable, taskColumn } from '../tables.ts'

/** Which of a pair a row is that is kept: as it was before an upsert, or as it was after it. */
export const pairColumn = '_rowmill_row'

/** The table that keeps the rows that an upsert has changed, which is to be made. */
export interface Keeping {
  readonly identifier: string
  /** As the ledger names it. */
  readonly sql: string
}

/** What is to come into a table. */
interface Coming {
  readonly into: Found
  readonly staging: Into
  readonly comparison: Comparison
  readonly key: readonly string[]
  /** All columns, as they stand in SQL, and those that are not of the key. */
  readonly columns: readonly string[]
  readonly others: readonly string[]
  /** Whether a row `known` of the table is another one than its row `coming`. */
  readonly isChanged: string
}

/** Puts the rows into a table that has a unique index on the key. */
export async function upsert(
  database: FileDatabase,
  into: Into & Found,
  produced: Produced,
  key: readonly string[],
  keeping: Keeping | undefined,
  options: InsertOptions,
): Promise<Counts> {
  const coming = await stage(database, into, produced, key)
  const rows = await fill(database, coming, produced, options)
  if (keeping !== undefined) await keepBefore(database, coming, keeping)
  const updated = await update(database, coming)
  const inserted = await insertNew(database, coming, into.task)
  if (keeping !== undefined) await keepAfter(database, coming, keeping, inserted + updated)
  await database.run(`DROP TABLE ${coming.staging.identifier}`)
  return { inserted, updated, unchanged: rows - inserted - updated }
}

/**
 * What an upsert would come to, without a change to the file.
 * @param patiently runs what another process may be in the way of.
 */
export async function rehearse(
  database: FileDatabase,
  target: Target,
  produced: Produced,
  options: InsertOptions,
  patiently: <T>(ask: () => Promise<T>) => Promise<T>,
): Promise<Counts> {
  const key = keyColumns(target, produced)
  const coming = await patiently(async () => {
    const found = await database.find(parseTable(target.table))
    checkUnmoved(found !== undefined, target, produced)
    return found && (await stage(database, found, produced, key))
  })
  if (coming === undefined) throw new Error(`a table is rehearsed that is not there: ${target.table}`)
  const rows = await fill(database, coming, produced, options)
  const { inserted, updated } = await patiently(() => count(database, coming))
  return { inserted, updated, unchanged: rows - inserted - updated }
}

/** Reads the table that the rows are for; what comes of it touches nothing but the temporary one. */
async function stage(
  database: FileDatabase,
  into: Found,
  { columns = [] }: Produced,
  key: readonly string[],
): Promise<Coming> {
  const comparison = await database.comparisonOf(into, key)
  const known = new Set(await writableColumns(database, into))
  const isKnown = ({ name }: { name: string }) => known.has(name)
  const staging = await database.stage(
    into,
    columns.filter(isKnown).map(({ name }) => name),
  )
  // Of a rehearsal: the table would get them.
  for (const column of columns.filter((one) => !isKnown(one))) {
    await database.run(`ALTER TABLE ${staging.identifier} ADD COLUMN ${database.columnSql(column)}`)
  }
  const quoted = (name: string) => identifier(name, database.naming)
  const others = columns.filter(({ name }) => !key.includes(name))
  const changes = others.map((column) =>
    isKnown(column)
      ? `NOT (${comparison.isSame(column.name, 'known', 'coming')})`
      : `coming.${quoted(column.name)} IS NOT NULL`,
  )
  return {
    into,
    staging,
    comparison,
    key,
    columns: columns.map(({ name }) => quoted(name)),
    others: others.map(({ name }) => quoted(name)),
    isChanged: changes.length === 0 ? '1 = 0' : `(${changes.join(' OR ')})`,
  }
}

/** @throws {AppError} unprocessable, for two rows of one key, or one without. */
async function fill(
  database: FileDatabase,
  { into: { table }, staging, comparison, key }: Coming,
  produced: Produced,
  options: InsertOptions,
): Promise<number> {
  const rows = await database.insert(staging, produced, options)
  if (!produced.isGuess) checkTaken(rows, produced.rows)
  const keys = key.map((name) => identifier(name, database.naming))
  const [missing = {}] = await database.rows<Record<string, string | number>>(
    `SELECT ${keys.map((name, i) => `count(*) - count(${name}) AS n${i}`).join(', ')} FROM ${staging.identifier}`,
  )
  const without = key.find((_, i) => Number(missing[`n${i}`]) > 0)
  if (without !== undefined) throw keyMissing(table, without)
  const [twice] = await database.rows<Record<string, string>>(
    `SELECT ${keys.map((name, i) => `CAST(min(${name}) AS VARCHAR) AS n${i}`).join(', ')} FROM ${staging.identifier}
     GROUP BY ${comparison.key.join(', ')} HAVING count(*) > 1 LIMIT 1`,
  )
  if (twice !== undefined) throw keyedTwice(table, Object.fromEntries(key.map((name, i) => [name, twice[`n${i}`]])))
  return rows
}

async function count(
  database: FileDatabase,
  { into, staging, comparison, key: [first = ''], isChanged }: Coming,
): Promise<Pick<Counts, 'inserted' | 'updated'>> {
  const isNew = `known.${identifier(first, database.naming)} IS NULL`
  const [counts] = await database.rows<{ inserted: string | number; updated: string | number }>(
    `SELECT count(CASE WHEN ${isNew} THEN 1 END) AS inserted,
       count(CASE WHEN NOT (${isNew}) AND ${isChanged} THEN 1 END) AS updated
     FROM ${staging.identifier} AS coming
     LEFT JOIN ${into.identifier} AS known ON ${comparison.isSameKey('known', 'coming')}`,
  )
  return { inserted: Number(counts?.inserted), updated: Number(counts?.updated) }
}

async function update(
  database: FileDatabase,
  { into, staging, comparison, others, isChanged }: Coming,
): Promise<number> {
  if (others.length === 0) return 0
  return await database.run(
    `UPDATE ${into.identifier} AS known SET ${others.map((name) => `${name} = coming.${name}`).join(', ')}
     FROM ${staging.identifier} AS coming WHERE ${comparison.isSameKey('known', 'coming')} AND ${isChanged}`,
  )
}

async function insertNew(
  database: FileDatabase,
  { into, staging, comparison, columns }: Coming,
  task: string | undefined,
): Promise<number> {
  const [names, values] =
    task === undefined
      ? [columns, columns]
      : [
          [...columns, identifier(taskColumn, database.naming)],
          [...columns, quoteText(task)],
        ]
  return await database.run(
    `INSERT INTO ${into.identifier} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${staging.identifier} AS coming
     WHERE NOT EXISTS (SELECT 1 FROM ${into.identifier} AS known WHERE ${comparison.isSameKey('known', 'coming')})`,
  )
}

/** Keeps the rows that are about to be changed; what comes and changes nothing is no longer among what comes. */
async function keepBefore(database: FileDatabase, coming: Coming, keeping: Keeping): Promise<void> {
  const { into, staging, comparison, isChanged } = coming
  const columns = (await writableColumns(database, into)).map((name) => identifier(name, database.naming)).join(', ')
  await database.run(
    `CREATE TABLE ${keeping.identifier} AS SELECT ${columns}, '' AS ${pairColumn} FROM ${into.identifier} LIMIT 0`,
  )
  await keep(database, coming, keeping, 'before', isChanged)
  await database.run(
    `DELETE FROM ${staging.identifier} AS coming WHERE EXISTS (SELECT 1 FROM ${into.identifier} AS known
       WHERE ${comparison.isSameKey('known', 'coming')} AND NOT ${isChanged})`,
  )
}

/**
 * The same rows and the new ones as they are now, with what triggers and defaults have made of them.
 * @throws {AppError} unprocessable, when a trigger has given them another key.
 */
async function keepAfter(database: FileDatabase, coming: Coming, keeping: Keeping, rows: number): Promise<void> {
  if ((await keep(database, coming, keeping, 'after', '1 = 1')) === rows) return
  throw new AppError(
    'unprocessable',
    `Rows of the table ${coming.into.table} are no longer found by their key once they are written: a trigger changes it. So the upsert could not be undone. Correct the trigger, or say “undoable: false”.`,
  )
}

async function keep(
  database: FileDatabase,
  { into, staging, comparison }: Coming,
  keeping: Keeping,
  pair: 'before' | 'after',
  which: string,
): Promise<number> {
  const columns = (await writableColumns(database, into)).map((name) => identifier(name, database.naming))
  return await database.run(
    `INSERT INTO ${keeping.identifier} (${[...columns, pairColumn].join(', ')})
     SELECT ${[...columns.map((name) => `known.${name}`), quoteText(pair)].join(', ')}
     FROM ${staging.identifier} AS coming CROSS JOIN ${into.identifier} AS known
     WHERE ${comparison.isSameKey('known', 'coming')} AND ${which}`,
  )
}
