/** Answers the bell: claims a task, lets the bell go, and sees the attempt through. */
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

  const hands = Array.from({ length: workers }, () =>
    queue.answer(async (id) => {
      if (stop.signal.aborted) return undefined
      const task = await catalog.claim(id, leaseMs)
      if (task === undefined) return undefined
      options.fail?.('after-claim')
      return () =>
        runAttempt(options, task, stop.signal).catch((error: unknown) =>
          log.error({ err: error, task: id }, 'the attempt could not be brought to an end'),
        )
    }),
  )

  return {
    async [Symbol.asyncDispose]() {
      const cut = setTimeout(() => stop.abort(new Error('the service is stopping')), drainMs)
      // Each ends with what it has in hand.
      await Promise.all(hands.map((hand) => hand[Symbol.asyncDispose]()))
      clearTimeout(cut)
    },
  }
}
