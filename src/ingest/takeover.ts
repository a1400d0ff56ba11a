/**
 * Whoever comes back to an upload is believed: the connection that was at it before may be dead without anyone's having
 * noticed. It is cut off here, and what it has brought is kept. Between processes the ledger decides: of two that go on at
 * one place, the second is refused.
 */
import { AppError } from '../errors.ts'

export interface Takeovers {
  /** Cuts off who is at an upload; resolves once what it has brought is recorded. */
  cut(upload: string): Promise<void>
  /** Runs the work as the only one at an upload, here. The signal is aborted when somebody else comes. */
  run<T>(upload: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

export function createTakeovers(): Takeovers {
  const busy = new Map<string, { readonly stop: AbortController; readonly done: Promise<unknown> }>()

  async function cut(upload: string): Promise<void> {
    for (let other = busy.get(upload); other !== undefined; other = busy.get(upload)) {
      other.stop.abort(new AppError('conflict', 'Another connection has gone on with this upload. Ask where it is.'))
      await other.done
    }
  }

  return {
    cut,
    async run(upload, work) {
      // Several may have waited for the same end.
      while (busy.has(upload)) await cut(upload)
      const stop = new AbortController()
      const working = work(stop.signal)
      const entry = { stop, done: working.catch(() => {}) }
      busy.set(upload, entry)
      try {
        return await working
      } finally {
        if (busy.get(upload) === entry) busy.delete(upload)
      }
    },
  }
}
