/** The last thing an attempt does: to say how it has ended, to a catalog that may be away just then. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import type { Task } from '../model.ts'
import type { Verdict } from '../entries.ts'
import type { Catalog } from '../ports.ts'

interface Teller {
  readonly catalog: Pick<Catalog, 'finish'>
  readonly leaseMs: number
}

/** In a lease, so often. */
const tries = 30

/**
 * Asks until the catalog has answered, as long as a lease lasts: what took hours is not done again because a database was
 * started anew. After that nobody knows whether it was written down.
 * @param signal ends the asking.
 * @returns whether the task was still this attempt's.
 * @throws {AppError} unavailable
 */
export async function tellCatalog(
  { catalog, leaseMs }: Teller,
  { id, attempt }: Pick<Task, 'id' | 'attempt'>,
  verdict: Verdict,
  signal: AbortSignal,
): Promise<boolean> {
  for (let tried = 1; ; tried++) {
    try {
      return await catalog.finish(id, attempt, verdict)
    } catch (error) {
      const mayPass = error instanceof AppError && error.code === 'unavailable'
      if (!mayPass || tried === tries || signal.aborted) throw error
      await sleep(leaseMs / tries, undefined, { signal }).catch(() => undefined)
    }
  }
}
