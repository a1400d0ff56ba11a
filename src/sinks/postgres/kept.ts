/** The rows that an undoable upsert has changed or added, as they were and as they are, and the way back. */
import type { Client } from 'pg'
import { AppError } from '../../errors.ts'
import { identifier, postgresNames } from '../../identifiers.ts'
import { maxLeftKeys, type Undone } from '../../balances.ts'
import { describe, type Found } from './catalog.ts'
import { differ, quote, sameKey, type Typed } from './compare.ts'
import { cannotUndo } from '../refusals.ts'

/** Says of a kept row whether it is from `before` the upsert or `after` it. */
const rowColumn = identifier('_rowmill_row', postgresNames)

export interface Changes {
  readonly found: Found
  readonly key: readonly string[]
  /** The columns that may change. */
  readonly others: readonly Typed[]
  /** The table with the keys, and before the change the values, of rows that are brought. */
  readonly fresh: string
}

/** Makes the table of kept rows, and puts those into it that are about to change, which are locked. */
export async function keepBefore(client: Client, changes: Changes, kept: string): Promise<void> {
  const { found, key, others, fresh } = changes
  const names = (await writable(client, found)).map(({ name }) => quote(name))
  await client.query(
    `CREATE TABLE ${kept} AS SELECT ${names.join(', ')}, NULL::text AS ${rowColumn} FROM ${found.sql} WITH NO DATA`,
  )
  await client.query(
    `INSERT INTO ${kept} SELECT ${names.map((name) => `known.${name}`).join(', ')}, 'before'
     FROM ${fresh} AS fresh JOIN ${found.rows} AS known ON ${sameKey(key, 'known', 'fresh')}
     WHERE ${differ(others, 'known', 'fresh')} FOR UPDATE OF known`,
  )
  await client.query(`ANALYZE ${kept}`)
}

/** Adds what those are now, and the rows whose keys are in `fresh`, with all that defaults and triggers made of them. */
export async function keepAfter(client: Client, { found, key, fresh }: Changes, kept: string): Promise<void> {
  const keys = key.map(quote).join(', ')
  const names = (await writable(client, found)).map(({ name }) => `known.${quote(name)}`)
  await client.query(
    `INSERT INTO ${kept} SELECT ${names.join(', ')}, 'after'
     FROM (SELECT ${keys} FROM ${kept} UNION ALL SELECT ${keys} FROM ${fresh}) AS touched
     JOIN ${found.rows} AS known ON ${sameKey(key, 'known', 'touched')}`,
  )
}

async function writable(client: Client, found: Found): Promise<Typed[]> {
  return (await describe(client, found)).filter(({ isComputed }) => !isComputed)
}

/** The keys of rows that can be taken back, and whether they were there before. */
const ours = 'pg_temp._rowmill_ours'

/**
 * Gives the rows that are still as the upsert has left them the values that they had, and takes out those that it has
 * added. What remains in the kept table are the others.
 * @throws {AppError} conflict, when the table has not all of their columns any more.
 */
export async function takeBack(
  client: Client,
  { found, key }: Pick<Changes, 'found' | 'key'>,
  kept: Found,
): Promise<Pick<Undone, 'removed' | 'restored' | 'left'>> {
  const columns = (await describe(client, kept)).filter(({ name }) => quote(name) !== rowColumn)
  const present = new Set((await writable(client, found)).map(({ name }) => name))
  if (columns.some(({ name }) => !present.has(name))) throw cannotUndo(found.table, 'changed')
  await client.query(`ANALYZE ${kept.sql}`)
  const keys = key.map((name) => `new.${quote(name)}`).join(', ')
  const { rowCount: pairs } = await client.query(
    `CREATE TEMPORARY TABLE ${ours} ON COMMIT DROP AS SELECT ${keys}, false AS ${rowColumn}
     FROM ${kept.sql} AS new JOIN ${found.rows} AS known ON ${sameKey(key, 'known', 'new')}
     WHERE new.${rowColumn} = 'after' AND NOT ${differ(columns, 'known', 'new')} FOR UPDATE OF known`,
  )
  // In a step of its own: the server expects hardly a row to be equal in all columns, and would go through what was
  // there before once for each of them.
  await client.query(`ANALYZE ${ours}`)
  await client.query(
    `UPDATE ${ours} AS ours SET ${rowColumn} = true FROM ${kept.sql} AS old
     WHERE old.${rowColumn} = 'before' AND ${sameKey(key, 'old', 'ours')}`,
  )
  await client.query(`ANALYZE ${ours}`)
  // First those that are taken out: what the others had before may have to be the only one of its kind.
  const { rowCount: removed } = await client.query(
    `DELETE FROM ${found.rows} AS known USING ${ours} AS ours
     WHERE NOT ours.${rowColumn} AND ${sameKey(key, 'known', 'ours')}`,
  )
  const restored = await restore(client, { found, key, others: columns }, kept)
  checkAll((removed ?? 0) + restored, pairs ?? 0, found)
  await client.query(`DELETE FROM ${kept.sql} AS kept USING ${ours} AS ours WHERE ${sameKey(key, 'kept', 'ours')}`)
  const { rows } = await client.query<{ left: string }>(
    `SELECT count(*) AS "left" FROM ${kept.sql} WHERE ${rowColumn} = 'after'`,
  )
  return { removed: removed ?? 0, restored, left: Number(rows[0]?.left) }
}

/** @throws {AppError} unprocessable, when the database has left rows as they are that nobody else has changed. */
function checkAll(taken: number, unchanged: number, { table }: Found): void {
  if (taken === unchanged) return
  throw new AppError(
    'unprocessable',
    `The database took back ${taken} of ${unchanged} rows of the table ${table}, so all is as it was. A trigger or a rule of the table keeps rows as they are; switch it off for the undo.`,
  )
}

async function restore(
  client: Client,
  { found, key, others }: Pick<Changes, 'found' | 'key' | 'others'>,
  kept: Found,
): Promise<number> {
  const sets = others.filter(({ name }) => !key.includes(name)).map(({ name }) => `${quote(name)} = old.${quote(name)}`)
  if (sets.length === 0) return 0
  const { rowCount } = await client.query(
    `UPDATE ${found.rows} AS known SET ${sets.join(', ')} FROM ${ours} AS ours, ${kept.sql} AS old
     WHERE ours.${rowColumn} AND old.${rowColumn} = 'before'
       AND ${sameKey(key, 'known', 'ours')} AND ${sameKey(key, 'known', 'old')}`,
  )
  return rowCount ?? 0
}

/** The keys of rows that were left as they are, by key; no more than anybody reads. */
export async function leftKeys(client: Client, key: readonly string[], kept: Found): Promise<Undone['leftKeys']> {
  const names = key.map(quote)
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT ${names.map((name) => `${name}::text AS ${name}`).join(', ')} FROM ${kept.sql} AS kept
     WHERE ${rowColumn} = 'after' ORDER BY ${names.map((name) => `kept.${name}`).join(', ')} LIMIT ${maxLeftKeys}`,
  )
  return rows
}
