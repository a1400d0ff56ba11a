/**
 * SQLite under the catalog: node:sqlite behind Kysely's driver interface. Full sync on every commit, transactions that
 * take the write lock at once (several processes may share the file), and a file that was deleted comes back. Whoever only
 * reads has a connection of its own, which sees what is durable and nothing else.
 */
import { rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { makeFolder, syncFolder } from '../durable.ts'
import { AppError, asAppError, errnoOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Database } from './database.ts'
import { Commits, type Use } from './commits.ts'
import { standard } from './dialect.ts'
import type { Tables } from './tables.ts'

/** How long a statement waits for another connection's transaction. */
const busyMs = 5_000

interface Options {
  /** Runs before the file is opened, the first time and whenever it has to be opened again: the migrations. */
  readonly prepare?: () => Promise<unknown>
  readonly log?: Log
}

interface Opened {
  readonly db: DatabaseSync
  readonly reader: DatabaseSync
  /** As `identity` found them when it was opened. */
  readonly files: (string | undefined)[]
}

/** The file is opened, and made, at the first query. */
export function openSqlite(path: string, options: Options = {}): Database {
  const dialect: Dialect = {
    createDriver: () => new SqliteFile(path, options),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new Adapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
  const db = new Kysely<Tables>({ dialect })
  return {
    db,
    dialect: standard,
    returns: true,
    now: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
    // Whoever writes has the whole file for himself.
    async lock() {},
    async checkIntegrity() {
      const pages = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(db)
      const links = await sql<{ table: string; rowid: number; parent: string }>`pragma foreign_key_check`.execute(db)
      return [
        ...pages.rows.map((row) => row.integrity_check).filter((text) => text !== 'ok'),
        ...links.rows.map(({ table, rowid, parent }) => `row ${rowid} of ${table} names a row that ${parent} lacks`),
      ]
    },
  }
}

/** SQLite can roll back DDL, so each migration runs in one of our transactions: under the write lock. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  /** They take turns by themselves. */
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

/** One file, for as many as want to use it at once. */
class SqliteFile implements Driver {
  readonly #path: string
  readonly #options: Options
  readonly #commits: Commits
  #open: Opened | undefined
  #opening: Promise<Opened> | undefined

  constructor(path: string, options: Options) {
    this.#path = path
    this.#options = options
    this.#commits = new Commits({
      run: (work) => this.#run(({ db }) => work(db)),
      check: () => {
        if (!this.#isGone()) return
        throw new AppError('unavailable', `The catalog ${this.#path} was deleted during a write. Try again.`)
      },
    })
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    return new Connection(this.#commits, (work) => this.#run(({ reader }) => work(reader)))
  }

  async releaseConnection(): Promise<void> {}

  beginTransaction(connection: Connection): Promise<void> {
    return connection.begin()
  }

  commitTransaction(connection: Connection): Promise<void> {
    return connection.commit()
  }

  rollbackTransaction(connection: Connection): Promise<void> {
    return connection.rollback()
  }

  async destroy(): Promise<void> {
    await this.#commits.flush()
    if (this.#open !== undefined) close(this.#open)
    this.#open = undefined
  }

  async #run<T>(work: (open: Opened) => T): Promise<T> {
    try {
      return await patiently(async () => work(await this.#current()))
    } catch (error) {
      throw translate(error, this.#path)
    }
  }

  /**
   * The open database. Outside a transaction the files are compared with those that were opened: what is written to a
   * deleted file is lost without an error, so it is opened, made and migrated again first.
   */
  async #current(): Promise<Opened> {
    if (this.#open?.db.isTransaction === true) return this.#open
    if (this.#open !== undefined && this.#isGone()) this.#abandon(this.#open)
    if (this.#open !== undefined) return this.#open
    this.#opening ??= this.#reopen().finally(() => (this.#opening = undefined))
    return await this.#opening
  }

  async #reopen(): Promise<Opened> {
    await this.#options.prepare?.()
    this.#open = await openFile(this.#path)
    return this.#open
  }

  #isGone(): boolean {
    const files = identity(this.#path)
    return files.some((file, i) => file === undefined || file !== this.#open?.files[i])
  }

  #abandon(open: Opened): void {
    const [file, log] = open.files
    this.#options.log?.warn({ path: this.#path }, 'the catalog was deleted or replaced; opening it again')
    // When only the log beside the file is gone, closing still writes its pages into the file.
    close(open)
    this.#open = undefined
    const [newFile, newLog] = identity(this.#path)
    if (newFile === undefined || newFile === file || newLog !== log) return
    // A backup was put in the file's place: the old file's log beside it would be applied to it.
    rmSync(`${this.#path}-wal`, { force: true })
    rmSync(`${this.#path}-shm`, { force: true })
  }
}

/** What Kysely takes for a connection: a transaction, or what is outside of any. */
class Connection implements DatabaseConnection {
  readonly #commits: Commits
  readonly #read: Use['run']
  #isTransaction = false

  constructor(commits: Commits, read: Use['run']) {
    this.#commits = commits
    this.#read = read
  }

  async begin(): Promise<void> {
    await this.#commits.begin()
    this.#isTransaction = true
  }

  async commit(): Promise<void> {
    this.#isTransaction = false
    await this.#commits.commit()
  }

  async rollback(): Promise<void> {
    if (!this.#isTransaction) return
    this.#isTransaction = false
    await this.#commits.rollback()
  }

  async executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
    const execute = (db: DatabaseSync) => executed<R>(db, compiled)
    if (this.#isTransaction) return await this.#commits.run(execute)
    const { kind } = compiled.query
    if (kind === 'SelectQueryNode' || kind === 'RawNode') return await this.#read(execute)
    await this.begin()
    try {
      const result = await this.#commits.run(execute)
      await this.commit()
      return result
    } catch (error) {
      await this.rollback()
      throw error
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

function executed<R>(db: DatabaseSync, { sql: text, parameters }: CompiledQuery): QueryResult<R> {
  const statement = db.prepare(text)
  const values = parameters as SQLInputValue[]
  // Copied, since node:sqlite's rows have no prototype, which makes them unequal to every other object.
  if (statement.columns().length > 0) return { rows: statement.all(...values).map((row) => ({ ...row }) as R) }
  return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) }
}

/** The file, its log and the log's index, as the system tells files apart. All exist while the database is open. */
function identity(path: string): (string | undefined)[] {
  return ['', '-wal', '-shm'].map((suffix) => {
    const stat = statSync(path + suffix, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`
  })
}

/** Waits while another connection has the lock; not in SQLite, where waiting would stop this whole process. */
async function patiently<T>(work: () => T | Promise<T>): Promise<T> {
  const end = performance.now() + busyMs
  for (let pause = 1; ; pause = Math.min(2 * pause, 32)) {
    try {
      return await work()
    } catch (error) {
      if (resultOf(error) !== result.busy || performance.now() > end) throw error
      await sleep(pause)
    }
  }
}

async function openFile(path: string): Promise<Opened> {
  await makeFolder(dirname(path))
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 0 })
  try {
    await configure(db, path)
    await syncFolder(dirname(path))
    const reader = new DatabaseSync(path, { timeout: 0 })
    reader.exec('pragma query_only = on')
    return { db, reader, files: identity(path) }
  } catch (error) {
    db.close()
    throw error
  }
}

function close({ db, reader }: Opened): void {
  reader.close()
  // The last one writes what the log has into the file.
  db.close()
}

async function configure(db: DatabaseSync, path: string): Promise<void> {
  const journal = await patiently(() => db.prepare('pragma journal_mode = wal').get()?.['journal_mode'])
  db.exec('pragma synchronous = full')
  const full = db.prepare('pragma synchronous').get()?.['synchronous']
  if (journal !== 'wal' || full !== 2) {
    throw new AppError(
      'unavailable',
      `SQLite cannot keep ${path} safely there (journal_mode ${String(journal)}, synchronous ${String(full)}). ` +
        'Point ROWMILL_DATA at a folder on a local disk.',
    )
  }
  // The first read makes the files beside the database.
  await patiently(() => db.prepare('select count(*) from sqlite_schema').get())
}

/** SQLite's primary result codes, from https://www.sqlite.org/rescode.html */
const result = {
  busy: 5,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  constraint: 19,
  notADb: 26,
} as const

/** The primary code is in the low byte of what node:sqlite reports as `errcode`; 0 when it is no error of SQLite's. */
function resultOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}

function translate(error: unknown, path: string): AppError {
  const options = { cause: error }
  switch (resultOf(error)) {
    case result.busy:
      return new AppError(
        'unavailable',
        `The catalog ${path} is busy: another process holds its lock. Try again.`,
        options,
      )
    case result.full:
      return new AppError('full', 'The disk is full. Free some space or point ROWMILL_DATA at a larger disk.', options)
    case result.constraint:
      return new AppError('conflict', 'The catalog has a row of that id already, or lacks one it refers to.', options)
    case result.corrupt:
    case result.notADb:
      return new AppError('unavailable', `The catalog ${path} is damaged or no SQLite database. Restore it.`, options)
    case result.readOnly:
    case result.io:
    case result.cantOpen:
      return new AppError('unavailable', `The catalog ${path} cannot be used. Check the folder and its disk.`, options)
    default: {
      const known = asAppError(error)
      // An errno of the system (EACCES, EROFS, EIO…), not a code of Node's own.
      const errno = errnoOf(error)
      return known.code === 'internal' && errno !== undefined && /^E[A-Z0-9]+$/.test(errno)
        ? new AppError('unavailable', `The catalog ${path} cannot be used (${errno}). Check the folder.`, options)
        : known
    }
  }
}
