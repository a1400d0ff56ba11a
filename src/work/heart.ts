/** The heartbeat of an attempt: keeps its lease, writes its progress down, and learns when the task is lost. */
import type { Log } from '../log.ts'
import type { Progress, Task } from '../model.ts'
import type { Catalog } from '../ports.ts'

/** Progress is written down this often, if there is any. */
const progressMs = 500

export interface Heart extends AsyncDisposable {
  /** Aborted when the task has been cancelled or claimed anew: nothing of this attempt counts any more. */
  readonly lost: AbortSignal
  readonly tell: (progress: Progress) => void
}

export function startHeart(
  { catalog, leaseMs }: { catalog: Pick<Catalog, 'renew'>; leaseMs: number },
  { id, attempt }: Pick<Task, 'id' | 'attempt'>,
  log: Log,
): Heart {
  const lost = new AbortController()
  const beatMs = Math.min(progressMs, leaseMs / 3)
  let progress: Progress | null = null
  let beating: Promise<void> = Promise.resolve()

  const beat = async () => {
    try {
      if (!(await catalog.renew(id, attempt, leaseMs, progress))) lost.abort(new Error('the task is lost'))
    } catch (error) {
      // The lease outlives two missed beats; a database that stays away longer ends the attempt by the lease.
      log.warn({ err: error }, 'the lease could not be renewed')
    }
  }
  let pending = false
  const timer = setInterval(() => {
    if (pending) return
    pending = true
    beating = beat().finally(() => {
      pending = false
    })
  }, beatMs)

  return {
    lost: lost.signal,
    tell: (latest) => {
      progress = latest
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await beating
    },
  }
}
