/** How long anybody waits for a broker: behind a bell is an upload that wants its answer. */
import { AppError } from '../errors.ts'

/** The setting that names the queue of bells. */
export const bells = 'ROWMILL_QUEUE_URL'

/** Milliseconds; then nobody waits at all for some more, where somebody has waited in vain. */
const patienceMs = 2_000
const quietMs = 5_000

/**
 * A question to a broker takes as long as its answer, but not longer than `ms`, and is not even asked when somebody
 * has just waited in vain. The catalog has the task by then: a bell less costs a round of the janitor.
 * @param onLate what to do then.
 * @param setting the one that names the queue.
 * @throws {AppError} unavailable
 */
export function createPatience(
  onLate: () => void,
  { ms = patienceMs, setting = bells }: { ms?: number; setting?: string } = {},
): <T>(ask: () => Promise<T>) => Promise<T> {
  let quietUntil = 0
  return async (ask) => {
    if (performance.now() < quietUntil) throw silent(setting)
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      quietUntil = performance.now() + quietMs
      onLate()
      reject(silent(setting))
    }, ms)
    try {
      return await Promise.race([ask(), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function silent(setting: string): AppError {
  return new AppError('unavailable', `The queue does not answer. Look at what ${setting} names, and try again.`)
}
