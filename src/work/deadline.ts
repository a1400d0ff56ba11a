import { AppError } from '../errors.ts'

/** Aborts its signal, with `tooSlow`, after so many milliseconds, unless disposed before. */
export function startDeadline(ms: number): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(tooSlow(ms)), ms)
  return { signal: stop.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}

function tooSlow(ms: number): AppError {
  return new AppError('timeout', `The task took longer than ${Math.round(ms / 1000)} s (ROWMILL_TASK_TIMEOUT).`)
}
