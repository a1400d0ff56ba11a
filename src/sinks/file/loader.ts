/** What the process does that has a database in a file open: one attempt at a task, in one transaction. */
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { syncFolder } from '../../durable.ts'
import { AppError, errnoOf } from '../../errors.ts'
import type { Target } from '../../model.ts'
import type { DeliveryId, Loading, Produced, TargetColumn } from '../../ports.ts'
import { Busy, type FileDatabase, type FilePlace, type OpenFile } from './database.ts'
import { load } from './load.ts'
import { announce, endEarlier, othersLoading } from './notes.ts'
import { type Committed, type Counts, ledgerTable, overtaken, parseTable } from '../tables.ts'

/** What a process can be asked for, one thing after another. */
export interface Loads {
  /** @param loading whose earlier attempts are ended when they are in the way. */
  check(target: Target, loading: Loading | undefined): Promise<readonly TargetColumn[] | undefined>
  /** What was committed by an earlier attempt. */
  begin(id: DeliveryId, attempt: number, target: Target): Promise<Committed | undefined>
  /** Everything but the commit. What is no file yet comes by `LoaderOptions.rows`. */
  write(id: DeliveryId, target: Target, produced: Omit<Produced, 'open'>): Promise<Counts>
  /** Commits this output and, since they share a transaction, all others that are written. */
  commit(id: DeliveryId): Promise<void>
  /** Takes back what is not committed, that of the other outputs included. */
  abandon(): Promise<void>
}

export interface LoaderOptions extends FilePlace {
  /** How long it waits for a file that is in use. */
  readonly patienceMs: number
  readonly open: OpenFile
  readonly signal: AbortSignal
  readonly onProgress: (rows: number) => void
  /** The bytes of the output that is being written. */
  readonly rows: () => Readable
}

const pollMs = 100

interface LedgerRow {
  readonly committed: boolean | number
  readonly superseded: boolean | number
  readonly inserted: string | number
  readonly updated: string | number
  readonly unchanged: string | number
}

export class Loader implements Loads, AsyncDisposable {
  readonly #options: LoaderOptions
  readonly #opened = new AsyncDisposableStack()
  #loading: Loading | undefined
  #database: FileDatabase | undefined
  #isInTransaction = false
  /** Outputs by the state they are in. */
  readonly #written = new Set<string>()
  readonly #committed = new Set<string>()

  constructor(options: LoaderOptions) {
    this.#options = options
  }

  async check(target: Target, loading: Loading | undefined): Promise<readonly TargetColumn[] | undefined> {
    const { open, signal } = this.#options
    return await this.#patiently(loading, async () => {
      await using database = await open(this.#options, 'look', signal)
      const found = await database.find(parseTable(target.table))
      return found === undefined ? undefined : await database.columnsOf(found)
    })
  }

  async begin(id: DeliveryId, attempt: number, target: Target): Promise<Committed | undefined> {
    const database = (this.#database ??= await this.#take({ task: id.task, attempt }))
    if (this.#isInTransaction) return await register(database, id, attempt, target)
    await this.#begin(database)
    try {
      const committed = await register(database, id, attempt, target)
      await this.#commit(database)
      return committed
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  async write(id: DeliveryId, target: Target, produced: Omit<Produced, 'open'>): Promise<Counts> {
    const database = this.#database
    if (database === undefined) throw new Error(`output ${id.output} is written before it is begun`)
    try {
      if (!this.#isInTransaction) await this.#begin(database)
      const { counts, kept } = await load(
        database,
        id,
        target,
        { ...produced, open: this.#options.rows },
        this.#options,
      )
      // Until the transaction ends, no other attempt can register: this holds at the commit, too.
      const touched = await database.run(
        `UPDATE ${ledgerTable} SET inserted = ?, updated = ?, unchanged = ?, kept = ?, committed_at = ${database.now}
         WHERE task = ? AND output = ? AND attempt = ?`,
        [counts.inserted, counts.updated, counts.unchanged, kept, id.task, id.output, this.#loading?.attempt ?? 0],
      )
      if (touched !== 1) throw overtaken(id)
      this.#written.add(id.output)
      return counts
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  async commit({ output }: DeliveryId): Promise<void> {
    if (this.#committed.has(output)) return
    const database = this.#database
    if (database === undefined || !this.#written.has(output)) {
      throw new AppError(
        'unavailable',
        `Output ${output} was taken back together with another one of its task that goes to ${this.#options.sink}. Try again.`,
      )
    }
    await this.#commit(database)
    for (const one of this.#written) this.#committed.add(one)
    this.#written.clear()
  }

  async abandon(): Promise<void> {
    if (!this.#isInTransaction) return
    this.#isInTransaction = false
    this.#written.clear()
    // What cannot be done now is when the file is closed, or opened the next time.
    await this.#database?.rollback().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abandon()
    await this.#opened[Symbol.asyncDispose]()
  }

  /** Opens the file; the note is there before, and as long. */
  async #take(loading: Loading): Promise<FileDatabase> {
    const { open, path, sink, signal } = this.#options
    this.#loading = loading
    try {
      this.#opened.use(await announce(path, loading))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EROFS') throw error
      throw new AppError(
        'unprocessable',
        `The database ${sink} cannot be written to: its folder takes no files (${errno}). Let Rowmill write there.`,
        { cause: error },
      )
    }
    return this.#opened.use(await this.#patiently(loading, () => open(this.#options, 'write', signal)))
  }

  async #begin(database: FileDatabase): Promise<void> {
    await this.#patiently(this.#loading, () => database.run(database.begin))
    this.#isInTransaction = true
  }

  /** Durable when it resolves: the name of a new file as well. */
  async #commit(database: FileDatabase): Promise<void> {
    await this.#patiently(this.#loading, () => database.commit())
    this.#isInTransaction = false
    await syncFolder(this.#options.path.replace(/[^/]+$/, ''))
  }

  /** Asks again while another process has the file, after ending those that are the same task's. */
  async #patiently<T>(loading: Loading | undefined, ask: () => Promise<T>): Promise<T> {
    const { path, patienceMs, signal } = this.#options
    const end = performance.now() + patienceMs
    for (;;) {
      if (loading !== undefined) await endEarlier(path, loading)
      signal.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof Busy)) throw error
        if (performance.now() > end) throw await this.#inUse(error)
        await sleep(pollMs, undefined, { signal })
      }
    }
  }

  async #inUse(busy: Busy): Promise<AppError> {
    const { sink, path } = this.#options
    const others = await othersLoading(path)
    const holder = others.find((other) => other.pid === busy.pid || others.length === 1)
    const pid = busy.pid ?? holder?.pid
    const who = pid === undefined ? 'another process' : `process ${pid}`
    const what = holder?.pid === pid && holder !== undefined ? `, which loads for task ${holder.task}` : ''
    return new AppError('unavailable', `The database ${sink} is in use by ${who}${what}. Try again when it is done.`, {
      cause: busy,
      details: { sink, ...(pid !== undefined && { pid }) },
    })
  }
}

/** Makes the attempt the one that may commit. */
async function register(
  database: FileDatabase,
  id: DeliveryId,
  attempt: number,
  { table, mode }: Target,
): Promise<Committed | undefined> {
  await database.run(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (
    task VARCHAR NOT NULL, output VARCHAR NOT NULL, attempt BIGINT NOT NULL, target VARCHAR NOT NULL, mode VARCHAR NOT NULL,
    inserted BIGINT, updated BIGINT, unchanged BIGINT, kept VARCHAR, committed_at DATETIME, PRIMARY KEY (task, output))`)
  const touched = await database.run(
    `INSERT INTO ${ledgerTable} AS known (task, output, attempt, target, mode) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (task, output) DO UPDATE SET attempt = excluded.attempt WHERE known.attempt < excluded.attempt`,
    [id.task, id.output, attempt, table, mode],
  )
  if (touched !== 1) throw overtaken(id)
  const [row] = await database.rows<LedgerRow>(
    `SELECT committed_at IS NOT NULL AS committed, inserted, updated, unchanged, EXISTS (
       SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = known.target AND other.committed_at > known.committed_at
     ) AS superseded FROM ${ledgerTable} AS known WHERE task = ? AND output = ?`,
    [id.task, id.output],
  )
  if (row === undefined || !row.committed) return undefined
  const { superseded, inserted, updated, unchanged } = row
  return {
    superseded: Boolean(superseded),
    inserted: Number(inserted),
    updated: Number(updated),
    unchanged: Number(unchanged),
  }
}
