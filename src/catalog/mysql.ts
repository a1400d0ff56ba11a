/** MySQL and MariaDB under the catalog. */
import { Socket } from 'node:net'
import { type Dialect as KyselyDialect, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import {
  type ConnectionOptions,
  createConnection,
  createPool,
  type Pool,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise'
import { connectionOptions, greeted } from '../databases/mysql-greeting.ts'
import { translated } from '../databases/mysql.ts'
import { AppError } from '../errors.ts'
import { Collision, type Database } from './database.ts'
import { mysql } from './dialect.ts'
import { lockRow } from './lock-rows.ts'
import { damaged, type Patience, server, taken } from './remote.ts'
import { ServerDriver, type ServerPool } from './server.ts'
import type { Tables } from './tables.ts'

const named = server('MySQL')

/** Whatever the server's own are. A text that is too long is refused, and every statement sees what is committed by then. */
function sessionSettings({ lockMs }: Patience): string {
  const lockSeconds = lockMs === 0 ? 3600 : lockMs / 1000
  return `SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',
    innodb_lock_wait_timeout = ${lockSeconds}, lock_wait_timeout = ${lockSeconds}, foreign_key_checks = 1, unique_checks = 1`
}

/** The server is asked at the first query. */
export function openMysql(url: string, patience: Patience): Database {
  const pool = openPool(url, patience)
  const dialect: KyselyDialect = {
    createDriver: () => new ServerDriver(pool),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createAdapter: () => new MysqlAdapter(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  }
  const db = new Kysely<Tables>({ dialect })
  return {
    db,
    dialect: mysql,
    returns: false,
    now: sql<number>`cast(unix_timestamp(now(3)) * 1000 as signed)`,
    lock: (trx, ...name) => lockRow(trx, name),
    async checkIntegrity() {
      const tables = await db.introspection.getTables()
      const names = sql.join(tables.map(({ name }) => sql.table(name)))
      const { rows } = await sql<{ Table: string; Msg_type: string; Msg_text: string }>`check table ${names}`.execute(
        db,
      )
      return rows
        .filter(({ Msg_type: type, Msg_text: text }) => type !== 'status' || text !== 'OK')
        .map(({ Table: table, Msg_text: text }) => `${table}: ${text}`)
    },
  }
}

type Result = ResultSetHeader | RowDataPacket[]

function openPool(url: string, patience: Patience): ServerPool {
  let pool: Promise<Pool> | undefined
  const prepared = new WeakSet<object>()

  async function take() {
    const session = await (await (pool ??= greet().then(() => createPool(poolOptions(url, patience))))).getConnection()
    const run = async (text: string, parameters: readonly unknown[]) => {
      const [result] = await session.query<Result>({
        sql: text,
        values: [...parameters],
        ...(patience.answerMs > 0 && { timeout: patience.answerMs }),
      })
      return result
    }
    // The pool hands out another wrapper each time.
    const { connection } = session
    if (!prepared.has(connection)) {
      // One that ends while nobody waits for it is told by the next call; unheard, it would end the process.
      session.on('error', () => {})
      await run(sessionSettings(patience), [])
      await run('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', [])
      prepared.add(connection)
    }
    return { session, run }
  }

  /** A server that is none says so only to somebody who listens closely. */
  async function greet(): Promise<void> {
    const socket = new Socket()
    try {
      const options = { ...connectionOptions(url, socket), connectTimeout: patience.connectMs }
      const connection = await greeted(named, socket, () => createConnection(options).catch(thrown))
      await connection.end()
    } catch (error) {
      pool = undefined
      throw error
    } finally {
      socket.destroy()
    }
  }

  return {
    async take() {
      const { session, run } = await take().catch(thrown)
      return {
        async query(text, parameters) {
          const result = await run(text, parameters).catch(thrown)
          return Array.isArray(result) ? { rows: result } : { rows: [], numAffectedRows: BigInt(result.affectedRows) }
        },
        release: (isSound) => (isSound ? session.release() : session.destroy()),
      }
    },
    async end() {
      await (await pool?.catch(() => undefined))?.end()
    },
  }
}

function poolOptions(url: string, { sessions, connectMs }: Patience): ConnectionOptions & { connectionLimit: number } {
  const { stream: _, ...options } = connectionOptions(url, new Socket())
  // Sums come as decimals.
  return {
    ...options,
    decimalNumbers: true,
    connectTimeout: connectMs,
    connectionLimit: sessions,
    enableKeepAlive: true,
  }
}

function thrown(error: unknown): never {
  throw translate(translated(named, error))
}

/** What a number of MySQL's means for the catalog, where that is something else than for a load. */
function translate(error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const { errno: number = 0, sqlState: state = '' } = (error.details ?? {}) as { errno?: number; sqlState?: string }
  const options = { cause: error.cause }
  if (number === 1213 || number === 1020) {
    return new Collision('unavailable', error.message, options)
  }
  if (state.startsWith('23')) return taken(options)
  if (number === 1146) return damaged(options)
  if (error.code !== 'unprocessable') return new AppError(error.code, error.message, options)
  // Which leaves faults of ours.
  const isOurs = /^(2[12]|42|HY)/.test(state) && ![1044, 1045, 1049, 1142, 1143, 1227].includes(number)
  return isOurs
    ? new AppError('internal', 'Internal error', options)
    : new AppError('unavailable', error.message, options)
}
