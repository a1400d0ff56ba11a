/** How long anybody waits for a broker: behind a bell is an upload that wants its answer. */
import { AppError } from '../errors.ts'

/** Milliseconds; then nobody waits at all for some more, where somebody has waited in vain. */
const patienceMs = 2_000
const quietMs = 5_000

/**
 * A question to a broker takes as long as its answer, but not longer than `ms`, and is not even asked when somebody
 * has just waited in vain. The catalog has the task by then: a bell less costs a round of the janitor.
 * @param onLate what to do then.
 * @throws {AppError} unavailable
 */
export function createPatience(onLate: () => void, ms = patienceMs): <T>(ask: () => Promise<T>) => Promise<T> {
  let quietUntil = 0
  return async (ask) => {
    if (performance.now() < quietUntil) throw silent()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      quietUntil = performance.now() + quietMs
      onLate()
      reject(silent())
    }, ms)
    try {
      return await Promise.race([ask(), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function silent(): AppError {
  return new AppError('unavailable', 'The queue does not answer. Look at what ROWMILL_QUEUE_URL names, and try again.')
}
