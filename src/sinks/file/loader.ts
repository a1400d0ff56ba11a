/** What the process does that has a database in a file open: an attempt at a task, in one transaction; then the next. */
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { syncFolder } from '../../durable.ts'
import { AppError, errnoOf, isDiskFull } from '../../errors.ts'
import type { Target } from '../../model.ts'
import type { Undone } from '../../balances.ts'
import type { DeliveryId, Loading, Produced, Undoable } from '../../ports.ts'
import type { TargetColumn } from '../../job.ts'
import { Busy, type FileDatabase, type FilePlace, type OpenFile } from './database.ts'
import { register, type Settled, settle } from './ledger.ts'
import { load } from './load.ts'
import { announce, endEarlier, othersLoading } from './notes.ts'
import { findUndoable, undo, undoneBefore } from './undo.ts'
import { rehearse } from './upsert.ts'
import { type Committed, type Counts, parseTable } from '../tables.ts'

/** What rows have come to that are not committed yet, and whether what an undo needs is kept. */
export type Written = Pick<Settled, 'counts' | 'undoable'>

/** What a process can be asked for, one thing after another. */
export interface Loads {
  /** @param loading whose earlier attempts are ended when they are in the way. */
  check(target: Target, loading: Loading | undefined): Promise<readonly TargetColumn[] | undefined>
  /** What was committed by an earlier attempt. */
  begin(id: DeliveryId, attempt: number, target: Target): Promise<Committed | undefined>
  /** Everything but the commit. What is no file yet comes by `LoaderOptions.rows`. */
  write(id: DeliveryId, target: Target, produced: Omit<Produced, 'open'>): Promise<Written>
  /** What an upsert would come to; the rows come as they do to `write`. */
  rehearse(target: Target, produced: Omit<Produced, 'open'>): Promise<Counts>
  /** As `begin`, for an undo. */
  beginUndo(id: DeliveryId, attempt: number, of: Undoable): Promise<Undone | undefined>
  /** Everything but the commit. */
  undo(id: DeliveryId, of: Undoable): Promise<Undone>
  /** Commits this output and, since they share a transaction, all others that are written. */
  commit(id: DeliveryId): Promise<void>
  /** Takes back what is not committed, that of the other outputs included. */
  abandon(): Promise<void>
  /** Abandons, and closes the file: what comes then is another attempt's. */
  close(): Promise<void>
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

export class Loader implements Loads, AsyncDisposable {
  readonly #options: LoaderOptions
  #opened = new AsyncDisposableStack()
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

  async begin(id: DeliveryId, attempt: number, { table, mode }: Target): Promise<Committed | undefined> {
    return await this.#register({ task: id.task, attempt }, (database) => register(database, id, attempt, table, mode))
  }

  async write(id: DeliveryId, target: Target, produced: Omit<Produced, 'open'>): Promise<Written> {
    return await this.#write(id, async (database) => {
      const settled = await load(database, id, target, { ...produced, open: this.#options.rows }, this.#options)
      const { counts, undoable } = settled
      return [settled, { counts, undoable }]
    })
  }

  async rehearse(target: Target, produced: Omit<Produced, 'open'>): Promise<Counts> {
    const { open, rows, signal } = this.#options
    const patiently = <T>(ask: () => Promise<T>) => this.#patiently(undefined, ask)
    await using database = await patiently(() => open(this.#options, 'look', signal))
    return await rehearse(database, target, { ...produced, open: rows }, this.#options, patiently)
  }

  async beginUndo(id: DeliveryId, attempt: number, of: Undoable): Promise<Undone | undefined> {
    return await this.#register({ task: id.task, attempt }, async (database) => {
      const entry = await register(database, id, attempt, of.target.table, 'undo', of.task)
      if (entry !== undefined) return await undoneBefore(database, entry, of)
      await findUndoable(database, of)
      return undefined
    })
  }

  async undo(id: DeliveryId, of: Undoable): Promise<Undone> {
    return await this.#write(id, async (database) => {
      const { undone, settled } = await undo(database, id, of)
      return [settled, undone]
    })
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

  async close(): Promise<void> {
    await this.abandon()
    const opened = this.#opened
    this.#opened = new AsyncDisposableStack()
    this.#database = undefined
    this.#loading = undefined
    this.#committed.clear()
    await opened[Symbol.asyncDispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** In a transaction of its own, unless one is open already. */
  async #register<T>(loading: Loading, call: (database: FileDatabase) => Promise<T>): Promise<T> {
    const database = (this.#database ??= await this.#take(loading))
    if (this.#isInTransaction) return await call(database)
    await this.#begin(database)
    try {
      const registered = await call(database)
      await this.#commit(database)
      return registered
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /** Writes rows and, in the same transaction, what the ledger is to know of them. */
  async #write<T>(
    id: DeliveryId,
    call: (database: FileDatabase) => Promise<readonly [settled: Settled, value: T]>,
  ): Promise<T> {
    const database = this.#database
    if (database === undefined) throw new Error(`output ${id.output} is written before it is begun`)
    try {
      if (!this.#isInTransaction) await this.#begin(database)
      const [settled, value] = await call(database)
      await settle(database, id, this.#loading?.attempt ?? 0, settled)
      this.#written.add(id.output)
      return value
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /** Opens the file; the note is there before, and as long. */
  async #take(loading: Loading): Promise<FileDatabase> {
    const { open, path, sink, signal } = this.#options
    this.#loading = loading
    try {
      this.#opened.use(await announce(path, loading))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined || isDiskFull(error)) throw error
      throw new AppError(
        'unprocessable',
        `The database ${sink} cannot be written to: its folder takes no files (${errno}). Let Rowmill write there, or correct its URL.`,
        { cause: error },
      )
    }
    await refuseOther(path, sink, loading)
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

/** @throws {AppError} unprocessable, when the same attempt loads into the file by another sink: each would wait for the other. */
async function refuseOther(path: string, sink: string, { task, attempt }: Loading): Promise<void> {
  const others = await othersLoading(path)
  if (!others.some((other) => other.task === task && other.attempt === attempt)) return
  throw new AppError(
    'unprocessable',
    `The database ${sink} is the same file as that of another sink that this task loads into. Name one of the two for all its outputs.`,
    { details: { sink } },
  )
}
