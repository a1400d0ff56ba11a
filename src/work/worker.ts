/** Answers the bell: claims a task, lets the bell go, and sees the attempt through. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue } from '../ports.ts'
import { runAttempt, type WorkDeps } from './attempt.ts'

export interface WorkerOptions extends WorkDeps {
  readonly queue: Queue
  /** Attempts that run side by side. */
  readonly workers: number
  /** On disposal, how long running attempts may still take before their tasks go back to the queue. */
  readonly drainMs: number
}

export function startWorker(options: WorkerOptions): AsyncDisposable {
  const { catalog, queue, workers, leaseMs, drainMs, log } = options
  const stop = new AbortController()
  const running = new Set<Promise<void>>()

  const answering = queue.answer(async (id) => {
    // A bell is let go once its task is claimed, and a task is claimed only when there is somebody free to run it.
    while (running.size >= workers) await Promise.race(running)
    if (stop.signal.aborted) return
    const task = await catalog.claim(id, leaseMs)
    if (task === undefined) return
    const attempt = runAttempt(options, task, stop.signal)
      .catch((error: unknown) => log.error({ err: error, task: id }, 'the attempt could not be brought to an end'))
      .finally(() => running.delete(attempt))
    running.add(attempt)
  })

  return {
    async [Symbol.asyncDispose]() {
      const stopped = answering[Symbol.asyncDispose]()
      const timer = new AbortController()
      await Promise.race([
        Promise.all(running),
        sleep(drainMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ])
      timer.abort()
      stop.abort(new Error('the service is stopping'))
      await Promise.all(running)
      await stopped
    },
  }
}
