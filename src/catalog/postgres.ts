/** PostgreSQL under the catalog. */
import {
  type Dialect as KyselyDialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import pg from 'pg'
import { translated, translatedConnecting } from '../databases/postgres.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import { Collision, type Database } from './database.ts'
import { standard } from './dialect.ts'
import { damaged, type Patience, server, taken } from './remote.ts'
import { ServerDriver, type ServerPool } from './server.ts'
import type { Tables } from './tables.ts'

const named = server('PostgreSQL')

/** Whatever the server's own are: what is committed is on the disk, and every statement sees what is committed by then. */
function sessionSettings({ statementMs, lockMs }: Patience): Record<string, string | number> {
  return {
    client_encoding: 'UTF8',
    standard_conforming_strings: 'on',
    synchronous_commit: 'on',
    default_transaction_isolation: 'read\\ committed',
    lock_timeout: lockMs,
    statement_timeout: statementMs,
    // A process that stands still gives back what it has locked.
    idle_in_transaction_session_timeout: statementMs,
  }
}

/** The server is asked at the first query. */
export function openPostgres(url: string, patience: Patience, log: Log): Database {
  const pool = openPool(url, patience, log)
  const dialect: KyselyDialect = {
    createDriver: () => new ServerDriver(pool),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  }
  const db = new Kysely<Tables>({ dialect })
  return {
    db,
    dialect: standard,
    returns: true,
    // The same throughout a statement, else no index would serve a comparison with it.
    now: sql<number>`cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint)`,
    async lock(trx, ...name) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${JSON.stringify(name)}, 0))`.execute(trx)
    },
    async checkIntegrity() {
      const { rows } = await sql<{ name: string }>`
        select indexrelid::regclass::text as name from pg_index
        join pg_class on pg_class.oid = indrelid
        where relnamespace = current_schema()::regnamespace and not indisvalid
        union all
        select conname from pg_constraint where connamespace = current_schema()::regnamespace and not convalidated
      `.execute(db)
      return rows.map(({ name }) => `${name} does not hold for all rows`)
    },
  }
}

/** Lists in statements are of any length, and not all of them are worth to be remembered. */
const mostPrepared = 64

function openPool(url: string, patience: Patience, log: Log): ServerPool {
  /** What a session has parsed once it need not parse again. */
  const names = new Map<string, string>()
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? `rowmill_${names.size}`
    names.set(text, name)
    return name
  }
  const pool = newPool(url, patience)
  // One that ends while it is used is told by the next call; unheard, it would end the process.
  pool.on('connect', (client) => void client.on('error', () => {}))
  pool.on('error', ({ message }) => log.warn({ reason: message }, 'a session with the catalog’s server has ended'))
  return {
    async take() {
      const client = await pool.connect().catch((error: unknown) => {
        throw translate(translatedConnecting(named, error))
      })
      return {
        async query(text, parameters) {
          try {
            const { rows, rowCount, command } = await client.query({
              text,
              values: parameters.map(withoutNul),
              ...(parameters.length <= mostPrepared && { name: nameOf(text) }),
            })
            // So it answers when a statement before has failed.
            if (text === 'commit' && command === 'ROLLBACK') {
              throw new AppError('unavailable', 'The catalog has taken a write back. Try again.')
            }
            return { rows: rows as unknown[], numAffectedRows: BigInt(rowCount ?? 0) }
          } catch (error) {
            throw translate(translated(named, error))
          }
        },
        release: (isSound) => client.release(!isSound),
      }
    },
    end: () => pool.end(),
  }
}

function newPool(url: string, patience: Patience): pg.Pool {
  try {
    return new pg.Pool({
      connectionString: url,
      application_name: 'rowmill catalog',
      max: patience.sessions,
      connectionTimeoutMillis: patience.connectMs,
      query_timeout: patience.answerMs,
      keepAlive: true,
      options: Object.entries(sessionSettings(patience))
        .map(([setting, value]) => `-c ${setting}=${value}`)
        .join(' '),
      types: { getTypeParser: parserOf },
    })
  } catch (error) {
    // A file with certificates is read at once.
    throw translatedConnecting(named, error)
  }
}

/** PostgreSQL has no text with NUL in it, and what is told of a file may have. */
function withoutNul(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\u{FFFD}') : value
}

/** `int8` and `numeric`, which sums are: the catalog has no number that JavaScript has not. */
const numbers: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC])

const parserOf: pg.CustomTypesConfig['getTypeParser'] = (id, format) =>
  numbers.has(id) ? Number : pg.types.getTypeParser(id, format)

/** What a state of PostgreSQL's means for the catalog, where that is something else than for a load. */
function translate(error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const { sqlState: state = '' } = (error.details ?? {}) as { sqlState?: string }
  const options = { cause: error.cause }
  if (state.startsWith('40')) return new Collision('unavailable', error.message, options)
  if (state.startsWith('23')) return taken(options)
  if (state === '42P01') return damaged(options)
  if (error.code !== 'unprocessable') return new AppError(error.code, error.message, options)
  // Which leaves faults of ours.
  const isOurs = /^(2[12]|42(?!501)|0A|54)/.test(state)
  return isOurs
    ? new AppError('internal', 'Internal error', options)
    : new AppError('unavailable', error.message, options)
}
