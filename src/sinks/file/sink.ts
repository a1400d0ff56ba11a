/**
 * Tables of databases that are a file, loaded by a process of their own. It has the file open only while it loads or
 * looks, works for one attempt at a time, and can be ended by a later one (notes.ts).
 */
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AppError, errnoOf } from '../../errors.ts'
import type { Fail } from '../../failpoints.ts'
import type { Loading, TableSink } from '../../ports.ts'
import type { RowFormat } from '../../job.ts'
import { cannotUndo } from '../refusals.ts'
import { deliver, takeBack } from './delivery.ts'
import { Session } from './session.ts'
import type { FileKind, Writer, WriterSettings } from './writer.ts'
import { Writers } from './writers.ts'
import { balanceOf, checkUnmoved, cutBy, parseTable } from '../tables.ts'

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
  const writers = new Writers({ kind, settings })

  /** Registers in the session of the attempt. It is left at once when there is nothing to do. */
  async function enter<T>(loading: Loading, at: string, call: (writer: Writer) => Promise<T | undefined>) {
    const of = `${loading.task} ${loading.attempt}`
    let session = sessions.get(of)
    if (session?.writer.isAlive !== true) {
      const writer = await writers.take(at)
      const own = new Session(writer, async () => {
        if (sessions.get(of) === own) sessions.delete(of)
        await writers.giveBack(at, writer)
      })
      session = own
      sessions.set(of, own)
    }
    session.join()
    try {
      const done = await call(session.writer)
      // Nobody is to wait for a file that there is nothing to do with.
      if (done !== undefined) await session.leave()
      return { session, done }
    } catch (error) {
      await session.leave()
      throw error
    }
  }

  return {
    kind: 'tables',
    rows,
    async check(target, loading) {
      parseTable(target.table)
      const place = await placeOf(name, path)
      if (!place.isThere) return undefined
      return await writers.ask(place.path, (writer) => writer.call('check', [target, loading]))
    },
    async begin(id, attempt, target) {
      const place = await placeOf(name, path)
      const { session, done } = await enter({ task: id.task, attempt }, place.path, (writer) =>
        writer.call('begin', [id, attempt, target]),
      )
      return deliver({ session, id, fail }, name, target, done)
    },
    async rehearse(target, { open, ...sent }, signal) {
      const place = await placeOf(name, path)
      if (!place.isThere) checkUnmoved(false, target, sent)
      const counts = await writers.ask(place.path, async (writer) => {
        const end = () => void writer[Symbol.asyncDispose]()
        const sending = { rows: sent.format === 'parquet' ? undefined : open(signal) }
        return await cutBy(signal, end, () => writer.call('rehearse', [target, sent], sending))
      })
      return balanceOf(counts)
    },
    async undo(id, attempt, of) {
      const place = await placeOf(name, path)
      if (!place.isThere) throw cannotUndo(of.target.table, 'tableGone')
      const { session, done } = await enter({ task: id.task, attempt }, place.path, (writer) =>
        writer.call('beginUndo', [id, attempt, of]),
      )
      return takeBack({ session, id, fail }, of, done)
    },
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
    if (errnoOf(error) !== 'ENOENT') throw unplaced(sink, error)
  }
  try {
    const whole = resolve(path)
    return { path: join(await realpath(dirname(whole)), basename(whole)), isThere: false }
  } catch (error) {
    throw unplaced(sink, error)
  }
}

function unplaced(sink: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (error instanceof AppError || errno === undefined) return error
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return refused(sink, 'there is no folder for its file; make it, or correct its URL', error)
  }
  return refused(sink, `its file cannot be got at (${errno}); correct its URL, or let Rowmill read its folder`, error)
}

function refused(sink: string, what: string, cause?: unknown): AppError {
  return new AppError('unprocessable', `The database ${sink}: ${what}.`, { cause })
}
