/**
 * Sessions of a PostgreSQL server, and the ledger that says which of them may commit. A session is named after its task
 * and attempt, by which a later attempt finds it and ends it.
 */
import { Socket } from 'node:net'
import pg from 'pg'
import { identifier, postgresNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { DeliveryId } from '../../ports.ts'
import { translated } from './errors.ts'
import { type Committed, ledgerTable, overtaken, stagingPrefix } from '../tables.ts'

export interface Session extends AsyncDisposable {
  readonly client: pg.Client
  /** Ends it at once, whether the server answers or not. */
  readonly cut: () => void
  /** Runs a call with PostgreSQL's errors translated. */
  told<T>(call: () => Promise<T>): Promise<T>
}

/** How the sessions of an attempt are called. Names are cut at 63 bytes. */
export function sessionName({ task, output }: DeliveryId, attempt: number): string {
  return `rowmill ${task} ${attempt} ${output}`.slice(0, 63)
}

/** Whatever the server's own are: values come in these forms, and what is committed is on the disk. */
const sessionSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  synchronous_commit: 'on',
  default_transaction_isolation: 'read\\ committed',
  lock_timeout: '30s',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
} as const

/** @param sink its name, for messages. */
export async function connect(sink: string, url: string, name: string): Promise<Session> {
  const socket = new Socket()
  const client = new pg.Client({
    connectionString: url,
    stream: () => socket,
    application_name: name,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: Object.entries(sessionSettings)
      .map(([setting, value]) => `-c ${setting}=${value}`)
      .join(' '),
  })
  // A session that is ended while nobody waits for it is told by the next call.
  client.on('error', () => {})
  const told = async <T>(call: () => Promise<T>) => {
    try {
      return await call()
    } catch (error) {
      throw translated(sink, error)
    }
  }
  await told(() => client.connect())
  return {
    client,
    cut: () => socket.destroy(),
    told,
    // Ending the session rolls back whatever it has not committed.
    [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
  }
}

interface LedgerRow {
  readonly committed: boolean
  readonly superseded: boolean
  readonly inserted: string
  readonly updated: string
  readonly unchanged: string
}

/**
 * Makes the attempt the one that may commit. What an earlier one still does is ended before, since it may hold the
 * ledger's row, and after, since it may just have come.
 */
export async function register(
  client: pg.Client,
  id: DeliveryId,
  attempt: number,
  { table, mode }: Target,
): Promise<Committed | undefined> {
  await endEarlier(client, id, attempt)
  await createLedger(client)
  const { rows } = await client.query<LedgerRow>(
    `INSERT INTO ${ledgerTable} AS known (task, output, attempt, target, mode) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (task, output) DO UPDATE SET attempt = excluded.attempt WHERE known.attempt < excluded.attempt
     RETURNING committed_at IS NOT NULL AS committed, inserted, updated, unchanged, EXISTS (
       SELECT FROM ${ledgerTable} AS other WHERE other.target = known.target AND other.committed_at > known.committed_at
     ) AS superseded`,
    [id.task, id.output, attempt, table, mode],
  )
  const [row] = rows
  if (row === undefined) throw overtaken(id)
  await endEarlier(client, id, attempt)
  await dropAbandoned(client)
  if (!row.committed) return undefined
  const { superseded, inserted, updated, unchanged } = row
  return { superseded, inserted: Number(inserted), updated: Number(updated), unchanged: Number(unchanged) }
}

async function endEarlier(client: pg.Client, { task }: DeliveryId, attempt: number): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND usename = current_user AND application_name LIKE 'rowmill ' || $1 || ' %'
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
    inserted bigint, updated bigint, unchanged bigint, kept text, committed_at timestamptz, PRIMARY KEY (task, output))`)
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
