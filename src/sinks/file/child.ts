/** The process that has a database in a file open: does what its parent asks, one thing at a time, and dies with it. */
import { flushCompileCache } from 'node:module'
import { PassThrough } from 'node:stream'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { asAppError } from '../../errors.ts'
import { taskError } from '../../model.ts'
import type { OpenFile } from './database.ts'
import { Loader } from './loader.ts'
import type { Answer, FileKind, Order, WriterSettings } from './writer.ts'

const openers: Readonly<Record<FileKind, () => Promise<OpenFile>>> = {
  duckdb: async () => (await import('../duckdb/file.ts')).openDuckdb,
  sqlite: async () => (await import('../sqlite/file.ts')).openSqlite,
}

const [kind, path, settings] = process.argv.slice(2) as [FileKind, string, string]
const { sink, memory, threads, patienceMs } = JSON.parse(settings) as WriterSettings
const stop = new AbortController()
/** Bytes of an output that may wait here for the rows before them. */
const bytesAhead = 1 << 20
/** The order that is being carried out, and the bytes that have come for each that has not been. */
let current = 0
const bytesFor = new Map<number, PassThrough>()

const loader = new Loader({
  path,
  sink,
  memory,
  threads,
  patienceMs,
  signal: stop.signal,
  open: async (...args) => (await openers[kind]())(...args),
  onProgress: (rows) => say({ n: current, kind: 'progress', rows }),
  rows: () => bytesFor.get(current) ?? new PassThrough(),
})

function say(answer: Answer): void {
  // Nobody listens any more once the parent has let go.
  if (process.connected) process.send?.(answer)
}

async function carryOut({ n, name, args }: Extract<Order, { name: unknown }>): Promise<void> {
  current = n
  try {
    const call = loader[name].bind(loader) as (...given: readonly unknown[]) => Promise<unknown>
    say({ n, kind: 'done', value: await call(...args) })
  } catch (cause) {
    say({ n, kind: 'error', error: taskError(asAppError(cause)), trace: inspect(cause) })
  } finally {
    bytesFor.delete(n)
  }
}

function take({ n, bytes }: Extract<Order, { bytes: unknown }>): void {
  const stream = bytesFor.get(n)
  if (bytes === 'end') stream?.end()
  else if (bytes === 'lost') stream?.destroy(new Error('the rows break off'))
  else stream?.write(bytes, () => say({ n, kind: 'more' }))
}

new Worker(new URL('../../lifeline.ts', import.meta.url)).unref()
let work: Promise<void> = Promise.resolve()
process.on('message', (order: Order) => {
  if ('bytes' in order) return take(order)
  // That they break off is told to who reads them; perhaps nobody does.
  bytesFor.set(
    order.n,
    new PassThrough({ highWaterMark: bytesAhead }).on('error', () => {}),
  )
  work = work.then(() => carryOut(order))
})
// The parent lets go: whatever is under way is given up, the file closed, and nothing keeps this process.
process.on('disconnect', () => {
  stop.abort(new Error('the parent has let go'))
  for (const stream of bytesFor.values()) stream.destroy(stop.signal.reason as Error)
  work = work.then(() => loader[Symbol.asyncDispose]())
})
flushCompileCache()
