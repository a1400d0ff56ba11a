/** The ledger of a PostgreSQL database: who may commit, what was committed, and what is kept of it. */
import type pg from 'pg'
import { identifier, postgresNames } from '../../identifiers.ts'
import type { LoadMode } from '../../model.ts'
import type { DeliveryId } from '../../ports.ts'
import { type Committed, type Counts, keptName, isInTheWay, ledgerTable, overtaken, stagingPrefix } from '../tables.ts'

interface LedgerRow {
  readonly committed: boolean
  readonly superseded: boolean
  readonly undoable: boolean
  readonly inserted: string
  readonly updated: string
  readonly unchanged: string
}

/** What is to be told of a delivery. */
interface Registered {
  /** The table with its schema, quoted. */
  readonly target: string
  readonly mode: LoadMode | 'undo'
  /** Of an undo: the task that it takes back. */
  readonly undoes?: string | null
}

/**
 * Makes the attempt the one that may commit. What an earlier one still does is ended before, since it may hold the
 * ledger's row, and after, since it may just have come.
 * @returns what an earlier attempt has committed, if one has.
 */
export async function register(
  client: pg.Client,
  id: DeliveryId,
  attempt: number,
  { target, mode, undoes = null }: Registered,
): Promise<Committed | undefined> {
  await endEarlier(client, id, attempt)
  await createLedger(client)
  const { rows } = await client.query<LedgerRow>(
    `INSERT INTO ${ledgerTable} AS known (task, output, attempt, target, mode, undoes) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (task, output) DO UPDATE SET attempt = excluded.attempt WHERE known.attempt <= excluded.attempt
     RETURNING committed_at IS NOT NULL AS committed, inserted, updated, unchanged, undoable, EXISTS (
       SELECT FROM ${ledgerTable} AS other WHERE other.target = known.target AND other.committed_at > known.committed_at
     ) AS superseded`,
    [id.task, id.output, attempt, target, mode, undoes],
  )
  const [row] = rows
  if (row === undefined) throw overtaken(id)
  await endEarlier(client, id, attempt)
  await dropAbandoned(client)
  if (!row.committed) return undefined
  const { superseded, undoable, inserted, updated, unchanged } = row
  return {
    superseded,
    undoable,
    inserted: Number(inserted),
    updated: Number(updated),
    unchanged: Number(unchanged),
  }
}

async function endEarlier(client: pg.Client, { task }: DeliveryId, attempt: number): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
       AND application_name LIKE 'rowmill ' || $1 || ' %'
       AND split_part(application_name, ' ', 3)::bigint < $2`,
    [task, attempt],
  )
}

async function createLedger(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(`SELECT to_regclass('${ledgerTable}') IS NOT NULL AS there`)
  if (rows[0]?.there === true) return
  // CREATE TABLE IF NOT EXISTS fails when two sessions do it at once.
  await client.query('BEGIN')
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('${ledgerTable}'))`)
  await client.query(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (
    task text NOT NULL, output text NOT NULL, attempt bigint NOT NULL, target text NOT NULL, mode text NOT NULL,
    undoes text, inserted bigint, updated bigint, unchanged bigint, undoable boolean NOT NULL DEFAULT false, kept text,
    committed_at timestamptz, PRIMARY KEY (task, output))`)
  await client.query('COMMIT')
}

/** Staging tables that were filled over several connections, of tasks that have no session any more. */
async function dropAbandoned(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ schema: string; table: string }>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND starts_with(c.relname, $1) AND pg_has_role(c.relowner, 'USAGE')
       AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid()
         AND application_name LIKE 'rowmill ' || substr(c.relname, length($1) + 1, 26) || ' %')`,
    [stagingPrefix],
  )
  for (const { schema, table } of rows) {
    const name = `${identifier(schema, postgresNames)}.${identifier(table, postgresNames)}`
    // What cannot be dropped is in nobody's way.
    await client.query(`DROP TABLE IF EXISTS ${name}`).catch(() => undefined)
  }
}

/** What an output has come to. */
export interface Entry {
  /** The table with its schema, quoted. */
  readonly target: string
  readonly counts: Counts
  readonly undoable: boolean
  /** The table with what an undo takes, quoted. */
  readonly kept: string | null
}

/**
 * Writes down what the attempt has come to, in the transaction of its rows.
 * @throws {AppError} conflict, when it is not the one that may commit any more.
 */
export async function settle(client: pg.Client, id: DeliveryId, attempt: number, entry: Entry): Promise<void> {
  const { target, counts, undoable, kept } = entry
  const { rowCount } = await client.query(
    `UPDATE ${ledgerTable} SET target = $4, inserted = $5, updated = $6, unchanged = $7, undoable = $8, kept = $9,
       committed_at = clock_timestamp()
     WHERE task = $1 AND output = $2 AND attempt = $3 AND committed_at IS NULL`,
    [id.task, id.output, attempt, target, counts.inserted, counts.updated, counts.unchanged, undoable, kept],
  )
  if (rowCount !== 1) throw overtaken(id)
}

/** One at a time ends a load of a table, so that each sees what the others have kept. Held until the transaction ends. */
export async function takeTurn(client: pg.Client, target: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`rowmill ${target}`])
}

/** What earlier tasks have kept of a table is dropped, so that there is one kept table and no more. */
export async function dropKept(client: pg.Client, { task }: DeliveryId, target: string): Promise<void> {
  const { rows } = await client.query<{ kept: string }>(
    `SELECT kept FROM ${ledgerTable} WHERE target = $1 AND task <> $2 AND kept IS NOT NULL`,
    [target, task],
  )
  for (const { kept } of rows) await client.query(`DROP TABLE IF EXISTS ${keptName(kept)}`)
  await client.query(
    `UPDATE ${ledgerTable} SET kept = NULL, undoable = false WHERE target = $1 AND task <> $2 AND kept IS NOT NULL`,
    [target, task],
  )
}

/** A load that was committed, as somebody finds it who wants to undo it. */
export interface Loaded extends Entry {
  readonly mode: string
}

/** Undefined when there is none, or it was not committed. */
export async function findLoad(client: pg.Client, { task, output }: DeliveryId): Promise<Loaded | undefined> {
  const { rows } = await client.query<LedgerRow & Pick<Loaded, 'mode' | 'target' | 'kept'>>(
    `SELECT mode, target, inserted, updated, unchanged, undoable, kept FROM ${ledgerTable}
     WHERE task = $1 AND output = $2 AND committed_at IS NOT NULL`,
    [task, output],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { mode, target, undoable, kept, inserted, updated, unchanged } = row
  const counts = { inserted: Number(inserted), updated: Number(updated), unchanged: Number(unchanged) }
  return { mode, target, undoable, kept: kept === null ? null : keptName(kept), counts }
}

/** Whether the table was written to after a load, by one that is in the way of its undo. */
export async function isLoadedSince(client: pg.Client, of: DeliveryId): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM ${ledgerTable} AS one JOIN ${ledgerTable} AS other USING (target)
     WHERE one.task = $1 AND one.output = $2 AND other.committed_at > one.committed_at AND ${isInTheWay}
     LIMIT 1`,
    [of.task, of.output],
  )
  return rows.length > 0
}

/**
 * A load is undone once.
 * @param kept what is still there of what it kept, quoted.
 * @returns whether it was not undone by another before, and nothing of it was dropped.
 */
export async function forget(client: pg.Client, { task, output }: DeliveryId, kept: string | null): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE ${ledgerTable} SET undoable = false, kept = $3 WHERE task = $1 AND output = $2 AND undoable`,
    [task, output, kept],
  )
  return rowCount === 1
}
