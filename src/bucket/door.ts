/**
 * The bucket as a door: each object that a notification tells of is taken in once. Its message is kept until all its
 * records are done, since nothing else knows of them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { local } from '../auth/authorize.ts'
import { asAppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { fileAt } from '../ingest/layout.ts'
import type { RunRequest } from '../ingest/orders.ts'
import { mayPass } from '../ingest/take.ts'
import type { Log } from '../log.ts'
import type { Bucket, Handle } from '../ports.ts'
import { type Arrival, readEvent } from './events.ts'

export interface DoorOptions {
  readonly ingest: Ingest
  readonly bucket: Bucket
  /** What is done with every object; undefined lets its key name the pipeline. */
  readonly run: RunRequest | undefined
  /** The pause before a second try; it doubles with each one. */
  readonly pollMs: number
  readonly log: Log
}

/** So many notifications are seen to side by side, as long as their objects are copied. */
export const hands = 4

/** Milliseconds between two tries, at most; */
const longestPauseMs = 60_000

/**
 * and for which what may pass is tried again with the message in hand. Brokers count how often one was given back, and
 * take it away after some times. It is well below the half hour after which RabbitMQ takes it out of our hands.
 */
const patienceMs = 15 * 60_000

export function createDoor(options: DoorOptions): Handle {
  const { bucket, log } = options
  return async (message, stop) => {
    const arrivals = readEvent(message)
    if (arrivals === undefined || arrivals.some((one) => one.bucket !== bucket.name)) {
      const why =
        arrivals === undefined ? 'it is no event of a bucket' : `it tells of another bucket than ${bucket.name}`
      log.warn({ why }, 'a message goes to the dead letters')
      return 'unreadable'
    }
    const end = performance.now() + patienceMs
    for (const arrival of arrivals.filter(({ key }) => key.startsWith(bucket.prefix))) {
      let pauseMs = options.pollMs
      while (!(await isDone(options, arrival, stop))) {
        if (stop.aborted || performance.now() > end) return 'later'
        await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
        pauseMs = Math.min(2 * pauseMs, longestPauseMs)
      }
    }
    return 'done'
  }
}

/** Takes one object in, whatever comes of it. False: it is to be tried again. */
async function isDone(
  { ingest, bucket, run, log }: DoorOptions,
  { key, version, etag }: Arrival,
  stop: AbortSignal,
): Promise<boolean> {
  const about = { bucket: bucket.name, key }
  try {
    const open = () => bucket.open({ key, version, etag }, stop)
    const found = { ...fileAt(key.slice(bucket.prefix.length), run), place: placeOf(about), open }
    const identity = JSON.stringify(['s3', bucket.name, key, version ?? etag])
    const task = await ingest.uploads.take(local, found, identity)
    if (task?.attempt === 0 && task.error !== null) {
      log.warn({ ...about, task: task.id, reason: task.error.message }, 'an object was not taken in')
    } else log.info({ ...about, task: task?.id }, 'an object is taken in')
    return true
  } catch (error) {
    if (stop.aborted) return false
    const { code, message: reason } = asAppError(error)
    if (mayPass(code)) {
      log.warn({ err: error, ...about }, 'an object of the bucket waits; it will be tried again')
      return false
    }
    // There is another notification of what has taken its place.
    if (code === 'gone') log.info(about, 'an object was written over since, and is left out')
    else log.warn({ ...about, code, reason }, 'an object was not taken in')
    return true
  }
}

/** Keys may hold what would write on somebody's terminal. */
function placeOf({ bucket, key }: { readonly bucket: string; readonly key: string }): string {
  return `s3://${bucket}/${key}`.replaceAll(/\p{Cc}/gu, '\uFFFD')
}
