/** Puts right what a death has left behind, and lets go what was kept as long as was promised. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { Blobs, Catalog, Queue } from '../ports.ts'
import { createClockJudge } from './clock.ts'
import { rescan } from './rescan.ts'
import { sweepBlobs, sweepMs } from './sweep.ts'

export interface JanitorOptions {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly queue: Queue
  readonly pollMs: number
  readonly maxLostLeases: number
  readonly log: Log
}

/** A put that has got nothing for so long has nobody any more. */
const abandonedMs = 24 * 3_600_000

/** Uploads and tasks that expire in one transaction. */
const batch = 100

export function startJanitor(options: JanitorOptions): AsyncDisposable {
  const stop = new AbortController()
  const isBelieved = createClockCheck(options)
  let strays: Set<string> | undefined
  const rounds = async () => {
    let sweptAt = Number.NEGATIVE_INFINITY
    while (!stop.signal.aborted) {
      try {
        await requeue(options)
        await ring(options)
        const believed = await isBelieved()
        if (believed) await expire(options, stop.signal)
        if (performance.now() - sweptAt >= sweepMs) {
          if (believed) await abandon(options)
          strays = await sweepBlobs(options, strays)
          sweptAt = performance.now()
        }
      } catch (error) {
        options.log.warn({ err: error }, 'the janitor will try again')
      }
      await sleep(options.pollMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const working = rounds()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await working
    },
  }
}

/** Tasks whose worker fell silent go back to the queue. */
async function requeue({ catalog, maxLostLeases, log }: JanitorOptions): Promise<void> {
  for (const task of await catalog.requeueLapsed(maxLostLeases)) log.warn({ task }, 'the lease has run out')
}

/** A queue that is down keeps the janitor from nothing else. */
async function ring({ catalog, queue, log }: JanitorOptions): Promise<void> {
  try {
    await rescan({ catalog, queue })
  } catch (err) {
    log.warn({ err }, 'could not ring for the tasks that are due; the next round will')
  }
}

/** Removes what has been kept for its time. */
async function expire({ catalog, blobs, log }: JanitorOptions, stop: AbortSignal): Promise<void> {
  for (;;) {
    const { blobs: keys, count, more } = await catalog.expire(batch)
    if (count > 0) log.info({ count }, 'removing uploads and results whose time is up')
    // A blob that stays is found by a sweep.
    for (const key of keys) await blobs.delete(key)
    if (!more || stop.aborted) return
  }
}

/** Ends the puts of processes that died. */
async function abandon({ blobs, log }: JanitorOptions): Promise<void> {
  const count = await blobs.abandon(abandonedMs)
  if (count > 0) log.info({ count }, 'removed what was half-written when a process ended')
}

/** Whether the clock can be believed; tells when that changes. */
function createClockCheck({ catalog, log }: JanitorOptions): () => Promise<boolean> {
  const judge = createClockJudge()
  let told: string | undefined
  return async () => {
    const doubt = judge({ ...(await catalog.clock()), monotonic: performance.now() })
    if (doubt !== told) {
      if (doubt !== undefined) log.warn({ doubt }, 'the clock is suspect; nothing expires')
      else log.info('the clock is believed again')
    }
    told = doubt
    if (doubt === undefined) await catalog.believeClock()
    return doubt === undefined
  }
}
