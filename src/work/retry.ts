import { type AppError, errorCodes } from '../errors.ts'
import { type Task, taskError, type TaskError } from '../model.ts'
import type { Verdict } from '../entries.ts'

export interface RetryPolicy {
  /** Attempts at what may pass; deaths of the child. */
  readonly attempts: number
  readonly crashes: number
  /** Milliseconds: the longest wait before the second attempt, and before any. */
  readonly backoff: number
  readonly backoffMax: number
}

type Ending = Exclude<Verdict, { state: 'succeeded' }>

/** What becomes of a task whose attempt ended in an error. Pure; `random` is in [0, 1). */
export function afterError(
  task: Pick<Task, 'crashes' | 'failures'>,
  error: AppError,
  policy: RetryPolicy,
  random: number,
): Ending {
  const crashed = error.code === 'crashed'
  const before = crashed ? task.crashes : task.failures
  const most = crashed ? policy.crashes : policy.attempts
  if (errorCodes[error.code].retry && before + 1 < most) {
    return { state: 'queued', why: crashed ? 'crashed' : 'failed', delayMs: delay(before, policy, random) }
  }
  return { state: 'failed', error: describe(error, before + 1), balances: null, rejects: null, crashed }
}

/** Full jitter: anything up to an exponentially growing limit (AWS Architecture Blog, “Exponential Backoff And Jitter”). */
function delay(before: number, { backoff, backoffMax }: RetryPolicy, random: number): number {
  return Math.floor(random * Math.min(backoffMax, backoff * 2 ** before))
}

function describe(error: AppError, times: number): TaskError {
  const told = taskError(error)
  return errorCodes[error.code].retry && times > 1
    ? { ...told, message: `${told.message.replace(/\.?$/, '.')} Given up after ${times} times.` }
    : told
}
