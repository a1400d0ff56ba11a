/**
 * Tables of databases that are a file, loaded by a process of their own. It has the file open only while it loads or
 * looks, ends with the attempt that it works for, and can be ended by a later one (notes.ts).
 */
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AppError, errnoOf } from '../../errors.ts'
import type { Fail } from '../../failpoints.ts'
import type { Target } from '../../model.ts'
import type { Delivered, Delivery, DeliveryId, Produced, RowFormat, TableSink, WriteOptions } from '../../ports.ts'
import { type FileKind, Writer, type WriterSettings } from './writer.ts'
import { type Committed, type Counts, cutBy, delivered, deliveredBefore, parseTable } from '../tables.ts'

export interface FileOptions extends Partial<Omit<WriterSettings, 'sink'>> {
  readonly fail?: Fail
}

/** @param name of the sink, as pipelines know it. */
export function fileSink(
  kind: FileKind,
  rows: RowFormat,
  name: string,
  path: string,
  { fail, ...options }: FileOptions = {},
): TableSink {
  const settings = { patienceMs: 30_000, ...options, sink: name }
  const sessions = new Map<string, Session>()
  return {
    kind: 'tables',
    rows,
    async check(target, loading) {
      parseTable(target.table)
      const place = await placeOf(name, path)
      if (!place.isThere) return undefined
      await using writer = new Writer({ kind, path: place.path, settings })
      return await writer.call('check', [target, loading])
    },
    async begin(id, attempt, target) {
      const place = await placeOf(name, path)
      const of = `${id.task} ${attempt}`
      let session = sessions.get(of)
      if (session?.writer.isAlive !== true) {
        session = new Session(new Writer({ kind, path: place.path, settings }), () => sessions.delete(of))
        sessions.set(of, session)
      }
      session.join()
      try {
        const committed = await session.writer.call('begin', [id, attempt, target])
        // Nobody is to wait for a file that there is nothing to do with.
        if (committed !== undefined) await session.leave()
        return new FileDelivery(name, session, id, target, committed, fail)
      } catch (error) {
        await session.leave()
        throw error
      }
    },
  }
}

/**
 * What the outputs of one attempt share that go to one file: a process, and a transaction, since there is one writer at
 * a time. It ends with the last of them.
 */
class Session {
  readonly writer: Writer
  readonly #onEnd: () => void
  #users = 0

  constructor(writer: Writer, onEnd: () => void) {
    this.writer = writer
    this.#onEnd = onEnd
  }

  get isShared(): boolean {
    return this.#users > 1
  }

  join(): void {
    this.#users++
  }

  async leave(): Promise<void> {
    this.#users--
    if (this.#users > 0) return
    this.#onEnd()
    await this.writer[Symbol.asyncDispose]()
  }
}

class FileDelivery implements Delivery {
  readonly delivered: Delivery['delivered']
  readonly #sink: string
  readonly #session: Session
  readonly #id: DeliveryId
  readonly #target: Target
  readonly #fail: Fail
  /** What the rows have come to, once they are written. */
  #counts: Counts | undefined
  #isOver: boolean

  constructor(
    sink: string,
    session: Session,
    id: DeliveryId,
    target: Target,
    committed: Committed | undefined,
    fail: Fail,
  ) {
    this.#sink = sink
    this.#session = session
    this.#id = id
    this.#target = target
    this.#fail = fail
    this.delivered = deliveredBefore(sink, id, target, committed)
    this.#isOver = committed !== undefined
  }

  async write(produced: Produced, { signal, onProgress }: WriteOptions): Promise<void> {
    const { writer } = this.#session
    const { open, ...sent } = produced
    const end = () => void writer[Symbol.asyncDispose]()
    this.#counts = await cutBy(signal, end, () => {
      const rows = produced.format === 'parquet' ? undefined : open(signal)
      return writer.call('write', [this.#id, this.#target, sent], { onProgress, rows })
    })
  }

  async commit(): Promise<Delivered> {
    const counts = this.#counts
    if (counts === undefined) throw new Error(`output ${this.#id.output} is committed before it is written`)
    // The ledger is written together with the rows: nobody else can write in between.
    this.#fail?.('before-ledger')
    this.#fail?.('after-ledger')
    this.#fail?.('before-commit')
    await this.#session.writer.call('commit', [this.#id])
    this.#fail?.('after-commit')
    this.#counts = undefined
    return delivered(this.#sink, this.#id, this.#target, counts)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    const { writer, isShared } = this.#session
    if (this.#counts !== undefined && isShared && writer.isAlive) await writer.call('abandon', [])
    await this.#session.leave()
  }
}

/**
 * The file under the one name by which all processes know it, and whether it is there.
 * @throws {AppError} unprocessable, when it is none, or there is no folder for it.
 */
async function placeOf(sink: string, path: string): Promise<{ path: string; isThere: boolean }> {
  try {
    const real = await realpath(path)
    if (!(await stat(real)).isFile()) throw refused(sink, 'what its URL names is no file; correct it')
    return { path: real, isThere: true }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  try {
    const whole = resolve(path)
    return { path: join(await realpath(dirname(whole)), basename(whole)), isThere: false }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    throw refused(sink, 'there is no folder for its file; make it, or correct its URL', error)
  }
}

function refused(sink: string, what: string, cause?: unknown): AppError {
  return new AppError('unprocessable', `The database ${sink}: ${what}.`, { cause })
}
