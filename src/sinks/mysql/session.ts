/** A session with MySQL or MariaDB that is the same whatever the server's own settings are. */
import { Socket } from 'node:net'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createConnection, type QueryOptions, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { connectionOptions, greeted } from '../../databases/mysql-greeting.ts'
import { translated } from '../../databases/mysql.ts'
import { AppError } from '../../errors.ts'

/** What MySQL says of a statement that has no rows. */
export type Result = Pick<ResultSetHeader, 'affectedRows' | 'warningStatus' | 'info'>

/** Every method throws the database's errors translated. A `?` stands for a value, so no name may be near one. */
export interface Session extends AsyncDisposable {
  readonly sink: string
  readonly database: string
  /** Whether the names of its tables are the same in every case. */
  readonly foldsNames: boolean
  /** The user's table that it is about. */
  readonly table: string
  /** A text of the server's, with that table in it where it names one of ours that stands for it. */
  readonly plain: (text: string) => string
  /** Tells every two texts apart, whatever their case, and a space at the end counts. */
  readonly collation: string
  run(sql: string, values?: readonly unknown[]): Promise<Result>
  rows<T>(sql: string, values?: readonly unknown[]): Promise<T[]>
  /** Runs a LOAD DATA LOCAL INFILE; whatever file it names, it gets these bytes. No other statement gets any. */
  load(sql: string, bytes: Readable): Promise<Result>
  /** Ends it at once, whether the server answers or not. */
  readonly cut: () => void
}

const modes = [
  'STRICT_ALL_TABLES',
  'ERROR_FOR_DIVISION_BY_ZERO',
  'NO_ZERO_DATE',
  'NO_ZERO_IN_DATE',
  'NO_ENGINE_SUBSTITUTION',
  // A 0 in a column that counts by itself stays 0.
  'NO_AUTO_VALUE_ON_ZERO',
]

/** Notes are warnings, since some tell of a value that was cut; the rows of an UPDATE are counted from an English text. */
const settings = `SET SESSION autocommit = 1, sql_mode = '${modes.join()}', time_zone = '+00:00', sql_notes = 1,
  max_error_count = 64, lc_messages = 'en_US', foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0,
  innodb_lock_wait_timeout = 30, lock_wait_timeout = 30, wait_timeout = 28800, net_read_timeout = 600, net_write_timeout = 600
  /*M!100601 , max_statement_time = 0, idle_transaction_timeout = 0 */`

/**
 * @param table of the user's that it is about, as messages call it.
 * @param signal cuts it, whatever it is doing.
 * @throws {AppError} unavailable, unprocessable
 */
export async function connect(sink: string, url: string, table: string, signal?: AbortSignal): Promise<Session> {
  const named = { name: `The database ${sink} (MySQL)`, url: 'the URL of the sink' }
  const socket = new Socket()
  const cut = () => socket.destroy()
  signal?.addEventListener('abort', cut)
  const plain = (text: string) => text.replaceAll(/_rowmill_(?:stage|mark)_\w+/g, () => table)
  const told = async <T>(call: () => Promise<T>) => {
    try {
      return await call()
    } catch (error) {
      throw translated(named, error, plain)
    }
  }
  const connection = await greeted(named, socket, () =>
    told(() => createConnection(connectionOptions(url, socket))),
  ).catch((error: unknown) => {
    signal?.removeEventListener('abort', cut)
    cut()
    throw error
  })
  // A session that is ended while nobody waits for it is told by the next call.
  connection.on('error', () => {})
  const query = async <T extends ResultSetHeader | RowDataPacket[]>(
    options: QueryOptions,
    values: readonly unknown[] = [],
  ): Promise<T> => {
    const [result] = await told(() => connection.query<T>({ ...options, values: [...values] }))
    return result
  }
  const run = (sql: string, values?: readonly unknown[]) => query<ResultSetHeader>({ sql }, values)
  const rows = async <T>(sql: string, values?: readonly unknown[]) =>
    (await query<RowDataPacket[]>({ sql }, values)) as T[]
  const end = async () => {
    signal?.removeEventListener('abort', cut)
    await connection.end()
    socket.destroySoon()
  }
  try {
    await run(settings)
    // Gaps between keys are locked, too: what an upsert has not found stays absent until it commits.
    await run('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    const [server] = await rows<{ version: string; known: string | null; folding: number }>(
      'SELECT VERSION() AS version, DATABASE() AS known, @@lower_case_table_names AS folding',
    )
    const { version = '', known = null, folding } = server ?? {}
    if (known === null) {
      throw new AppError(
        'unprocessable',
        `The URL of the sink ${sink} names no database. Add it: mysql://host/database.`,
      )
    }
    return {
      sink,
      database: known,
      foldsNames: folding !== 0,
      table,
      plain,
      collation: version.includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin',
      run,
      rows,
      load: (sql, bytes) => feed(bytes, (infileStreamFactory) => query<ResultSetHeader>({ sql, infileStreamFactory })),
      cut,
      // Ending the session rolls back whatever it has not committed.
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}

/**
 * Gives a query its bytes. The driver knows the error of a stream, but not one that comes before it listens, nor a stream
 * that closes without its end, which would leave it waiting.
 */
async function feed<T>(bytes: Readable, query: (open: () => Readable) => Promise<T>): Promise<T> {
  const through = new PassThrough()
  bytes.on('error', () => {})
  try {
    return await query(() => {
      pipeline(bytes, through).catch(() => {})
      return through
    })
  } finally {
    bytes.destroy()
    through.destroy()
  }
}
