/**
 * The bell of one process. Bells that nobody rang here (another process created the task, a wait has passed, this
 * process was started anew) are found in the catalog, where the queue looks from time to time.
 */
import type { Answer, Catalog, Queue } from '../ports.ts'
import { hear, pause } from './hear.ts'
import type { QueueOptions } from './open.ts'

/** How many due tasks are fetched at once. */
const pageSize = 1_000

export function openLocalQueue(catalog: Pick<Catalog, 'dueTasks'>, { pollMs, log }: QueueOptions): Queue {
  /** Bells not yet answered, in the order they rang. */
  const rung = new Set<string>()
  /** Tasks that a hand is at: a bell for one waits, and is not lost. */
  const busy = new Set<string>()
  const answerers = new Set<AsyncDisposable>()
  /** Wakes those that sleep. */
  const sleepers = new Set<() => void>()
  let nextPoll = 0

  function wake() {
    for (const sleeper of sleepers) sleeper()
  }

  function take(): string | undefined {
    for (const task of rung) {
      if (busy.has(task)) continue
      rung.delete(task)
      return task
    }
    return undefined
  }

  async function poll(): Promise<void> {
    nextPoll = performance.now() + pollMs
    try {
      const due = await catalog.dueTasks(pageSize)
      for (const task of due) if (!busy.has(task)) rung.add(task)
      // There may be more, which need not wait for the next time.
      if (due.length === pageSize) nextPoll = 0
      wake()
    } catch (err) {
      log.warn({ err }, 'the catalog did not say which tasks are due; asking again')
    }
  }

  async function call(handler: Answer, task: string): Promise<boolean> {
    busy.add(task)
    try {
      return await hear(handler, task, log, (work) => work())
    } finally {
      busy.delete(task)
    }
  }

  function answer(handler: Answer): AsyncDisposable {
    const stop = new AbortController()

    async function loop() {
      while (!stop.signal.aborted) {
        const task = take()
        if (task !== undefined) {
          if (!(await call(handler, task))) await pause(pollMs, stop.signal)
        } else if (performance.now() >= nextPoll) await poll()
        else await sleep(Math.max(0, nextPoll - performance.now()))
      }
    }

    const done = loop()
    const answerer: AsyncDisposable = {
      async [Symbol.asyncDispose]() {
        stop.abort()
        answerers.delete(answerer)
        wake()
        await done
      },
    }
    answerers.add(answerer)
    return answerer
  }

  function sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const sleeper = () => {
      clearTimeout(timer)
      sleepers.delete(sleeper)
      resolve()
    }
    const timer = setTimeout(sleeper, ms)
    sleepers.add(sleeper)
    return promise
  }

  return {
    async ring(task) {
      rung.add(task)
      wake()
    },
    answer,
    waiting: async () => Number.POSITIVE_INFINITY,
    ping: async () => {},
    async [Symbol.asyncDispose]() {
      await Promise.all([...answerers].map((answerer) => answerer[Symbol.asyncDispose]()))
    },
  }
}
