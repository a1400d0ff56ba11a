/** Rows that change those of the same key, and are added where there is none. */
import pg, { type Client } from 'pg'
import { AppError } from '../../errors.ts'
import type { ProducedColumn } from '../../job.ts'
import { describe, type Found, needUniqueKey } from './catalog.ts'
import { differ, quote, sameKey, type Typed } from './compare.ts'
import { keepAfter, keepBefore } from './kept.ts'
import { columnSql } from './types.ts'
import { keyedTwice, keyMissing } from '../refusals.ts'
import { checkTaken, type Counts } from '../tables.ts'

export interface Upsert {
  readonly found: Found
  /** As users call it. */
  readonly table: string
  readonly key: readonly string[]
  readonly columns: readonly ProducedColumn[]
}

/** Where rows wait that are to be upserted: a temporary table of the session. */
export const fresh = 'pg_temp._rowmill_fresh'

/** Makes the temporary table for the columns that are produced; what the table does not have is of a type of ours. */
export async function createFresh(client: Client, { found, columns }: Upsert): Promise<void> {
  const there = columns.filter(({ isThere }) => isThere).map(({ name }) => quote(name))
  await client.query(
    `CREATE TEMPORARY TABLE ${fresh} ON COMMIT DROP AS SELECT ${there.join(', ')} FROM ${found.sql} WITH NO DATA`,
  )
  for (const column of columns.filter(({ isThere }) => !isThere)) {
    await client.query(`ALTER TABLE ${fresh} ADD COLUMN ${columnSql(column)}`)
  }
}

/** @throws {AppError} unprocessable, when a row that waits has no key, or that of another. */
export async function checkKeys(client: Client, { table, key }: Upsert): Promise<void> {
  await client.query(`ANALYZE ${fresh}`)
  const names = key.map(quote)
  const missing = names.map((name) => `coalesce(bool_or(${name} IS NULL), false)`)
  const { rows: nulls } = await client.query<boolean[]>({
    text: `SELECT ${missing.join(', ')} FROM ${fresh}`,
    rowMode: 'array',
  })
  const without = key.find((_, i) => nulls[0]?.[i] === true)
  if (without !== undefined) throw keyMissing(table, without)
  const { rows: twice } = await client.query<string[]>({
    text: `SELECT ${names.map((name) => `min(${name}::text)`).join(', ')} FROM ${fresh}
      GROUP BY ${names.join(', ')} HAVING count(*) > 1 LIMIT 1`,
    rowMode: 'array',
  })
  const [values] = twice
  if (values !== undefined) throw keyedTwice(table, Object.fromEntries(key.map((name, i) => [name, values[i]])))
}

/** What the rows that wait would come to, if the table stayed as it is. */
export async function foresee(client: Client, upsert: Upsert, rows: number): Promise<Counts> {
  const { found, key, columns } = upsert
  const others = await othersOf(client, upsert)
  const added = columns.filter(({ isThere }) => !isThere).map(({ name }) => `fresh.${quote(name)} IS NOT NULL`)
  const { rows: counted } = await client.query<{ known: string; changed: string }>(
    `SELECT count(*) AS known, count(*) FILTER (WHERE ${[differ(others, 'known', 'fresh'), ...added].join(' OR ')}) AS changed
     FROM ${fresh} AS fresh JOIN ${found.rows} AS known ON ${sameKey(key, 'known', 'fresh')}`,
  )
  const known = Number(counted[0]?.known)
  const updated = Number(counted[0]?.changed)
  return { inserted: rows - known, updated, unchanged: known - updated }
}

/**
 * Brings the rows that wait into the table, which has all their columns by now.
 * @param kept a new table for what an undo takes; undefined when there shall be none.
 */
export async function upsertRows(
  client: Client,
  upsert: Upsert,
  rows: number,
  kept: string | undefined,
): Promise<Counts> {
  const { found, key, table } = upsert
  const indexes = await needUniqueKey(client, found, key, table)
  const others = await othersOf(client, upsert)
  const changes = { fresh, found, key, others }
  if (kept !== undefined) await keepBefore(client, changes, kept)
  const updated = await change(client, upsert, others, kept)
  const inserted = await add(client, upsert, indexes, kept)
  if (kept !== undefined) await keepAfter(client, { ...changes, fresh: added }, kept)
  const { rows: present } = await client.query<{ there: string }>(
    `SELECT count(*) AS there FROM ${fresh} AS fresh JOIN ${found.rows} AS known ON ${sameKey(key, 'known', 'fresh')}`,
  )
  checkTaken(Number(present[0]?.there), rows)
  return { inserted, updated, unchanged: rows - inserted - updated }
}

/** The columns that the rows bring and the table has, without those of the key. */
async function othersOf(client: Client, { found, key, columns }: Upsert): Promise<Typed[]> {
  const brought = new Set(columns.map(({ name }) => name))
  return (await describe(client, found)).filter(({ name }) => brought.has(name) && !key.includes(name))
}

/** @returns how many rows have changed. */
async function change(
  client: Client,
  { found, key }: Upsert,
  others: readonly Typed[],
  kept: string | undefined,
): Promise<number> {
  if (others.length === 0) return 0
  const sets = others.map(({ name }) => `${quote(name)} = fresh.${quote(name)}`)
  // Of what is kept, the rows are locked: just they still differ.
  const [source, isChanged] =
    kept === undefined ? ['', differ(others, 'known', 'fresh')] : [`, ${kept} AS old`, sameKey(key, 'known', 'old')]
  const { rowCount } = await client.query(
    `UPDATE ${found.rows} AS known SET ${sets.join(', ')} FROM ${fresh} AS fresh${source}
     WHERE ${sameKey(key, 'known', 'fresh')} AND ${isChanged}`,
  )
  return rowCount ?? 0
}

/** The keys of rows that were added, where they are to be kept. */
const added = 'pg_temp._rowmill_added'

/** @returns how many rows were added. */
async function add(
  client: Client,
  { found, key, columns, table }: Upsert,
  indexes: readonly string[],
  kept: string | undefined,
): Promise<number> {
  const names = columns.map(({ name }) => quote(name))
  const keys = key.map(quote).join(', ')
  const insert = `INSERT INTO ${found.sql} (${names.join(', ')}) SELECT ${names.map((name) => `fresh.${name}`).join(', ')}
    FROM ${fresh} AS fresh WHERE NOT EXISTS (SELECT FROM ${found.rows} AS known WHERE ${sameKey(key, 'known', 'fresh')})`
  try {
    if (kept === undefined) return (await client.query(insert)).rowCount ?? 0
    await client.query(
      `CREATE TEMPORARY TABLE ${added} ON COMMIT DROP AS SELECT ${keys} FROM ${found.sql} WITH NO DATA`,
    )
    const written = `WITH written AS (${insert} RETURNING ${keys}) INSERT INTO ${added} SELECT ${keys} FROM written`
    return (await client.query(written)).rowCount ?? 0
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '23505') throw error
    if (!indexes.includes(error.constraint ?? '')) throw error
    throw new AppError(
      'unavailable',
      `Another session has just put a row into the table ${table} that the upsert brings as well. Try again.`,
      { cause: error },
    )
  }
}
