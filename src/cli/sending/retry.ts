/** Going on after what may pass: a connection that broke, a service that starts again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, errnoOf } from '../../errors.ts'
import { answered } from '../client.ts'

/** Milliseconds. */
export interface Patience {
  /** How long nothing may get on until it is given up. */
  readonly most: number
  /** The first wait, at most; each next one may be twice as long. */
  readonly wait: number
  readonly longestWait: number
}

/** For what goes on where it was. */
export const long: Patience = { most: 300_000, wait: 500, longestWait: 30_000 }
/** For what begins again each time: longer than a service remembers a request whose process has died. */
export const short: Patience = { most: 60_000, wait: 500, longestWait: 10_000 }

export interface Persistence {
  readonly patience: Patience
  readonly signal: AbortSignal
  /** Told before each wait. */
  readonly tell: (line: string) => void
}

export interface Attempt {
  /** From 1 on. */
  readonly number: number
  /** To be called when something has been reached that was not before: patience begins anew. */
  readonly gotOn: () => void
}

/**
 * Tries until it succeeds.
 * @param passes whether it is worth another try after this error.
 * @throws {AppError} what does not pass, or `unavailable` when nothing has got on for too long.
 */
export async function persist<T>(
  { patience, signal, tell }: Persistence,
  work: (attempt: Attempt) => Promise<T>,
  passes: (error: unknown, attempt: number) => boolean = mayPass,
): Promise<T> {
  let since = performance.now()
  let failures = 0
  const gotOn = () => {
    since = performance.now()
    failures = 0
  }
  for (let number = 1; ; number++) {
    try {
      return await work({ number, gotOn })
    } catch (error) {
      signal.throwIfAborted()
      if (!passes(error, number)) throw error
      const wait = waitAfter(error, failures++, patience)
      if (performance.now() - since + wait > patience.most) throw givenUp(error, patience)
      tell(`${reasonOf(error)}. Trying again in ${Math.max(1, Math.round(wait / 1000))} s.`)
      await sleep(wait, undefined, { signal })
    }
  }
}

/**
 * No answer, or one that tells of a state that passes. 409 is of another request with the same key, which only a second
 * attempt can meet.
 */
export function mayPass(error: unknown, attempt: number): boolean {
  const status = answered(error)?.status
  if (status === undefined) return error instanceof AppError && error.code === 'unavailable'
  if (status === 409) return attempt > 1
  return [408, 423, 425, 429].includes(status) || (status >= 500 && status !== 507)
}

/** Whether the service no longer has what was asked for. */
export function isGone(error: unknown): boolean {
  return [404, 410].includes(answered(error)?.status ?? 0)
}

/** Half of it is chance, so that many who were cut off together do not come back together. */
function waitAfter(error: unknown, failures: number, { wait, longestWait }: Patience): number {
  const most = Math.min(longestWait, wait * 2 ** failures)
  return Math.max(most * (0.5 + Math.random() / 2), Math.min(answered(error)?.retryAfterMs ?? 0, longestWait))
}

function reasonOf(error: unknown): string {
  const found = answered(error)
  if (found !== undefined) return `The service answers ${found.status}`
  const errno = error instanceof Error ? errnoOf(error.cause) : undefined
  if (errno === 'ECONNREFUSED') return 'The service does not answer'
  return `The connection broke${errno === undefined ? '' : ` (${errno})`}`
}

function givenUp(error: unknown, { most }: Patience): AppError {
  const minutes = Math.ceil(most / 60_000)
  const last = error instanceof Error ? error.message : String(error)
  return new AppError(
    'unavailable',
    `For ${minutes === 1 ? 'a minute' : `${minutes} minutes`} nothing got on. ${last}`,
    {
      cause: error,
    },
  )
}
