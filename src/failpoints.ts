/** Places at which a test may have this process die or stop, to see that nothing is lost and nothing there twice. */
import type { Log } from './log.ts'

/** Before and after everything that can be left half done. */
export const failpoints = [
  'before-write',
  'after-write',
  'after-sync',
  'after-rename',
  'after-folder-sync',
  'before-store',
  'after-store',
  'before-catalog-commit',
  'after-catalog-commit',
  'before-ring',
  'after-ring',
  'after-claim',
  'before-acknowledge',
  'after-acknowledge',
  'before-register',
  'after-register',
  'before-first-bytes',
  'after-first-bytes',
  'before-last-bytes',
  'after-last-bytes',
  'before-ledger',
  'after-ledger',
  'before-commit',
  'after-commit',
  'before-finish',
  'after-finish',
] as const
export type Failpoint = (typeof failpoints)[number]

export const failures = { kill: 'SIGKILL', stop: 'SIGSTOP' } as const

/** What is to happen, and where. */
export interface Failing {
  /** A point; or a number, for whatever point is reached as the so-manieth. */
  readonly point: Failpoint | number
  readonly failure: keyof typeof failures
}

/** Called at every point; undefined when nothing is to happen anywhere. */
export type Fail = ((point: Failpoint) => void) | undefined

export function failAt(failing: Failing | undefined, log: Log): Fail {
  if (failing === undefined) return undefined
  let reached = 0
  let isDone = false
  return (point) => {
    reached++
    if (isDone || (failing.point !== point && failing.point !== reached)) return
    // Whoever is stopped goes on one day, and then shall not stop again.
    isDone = true
    log.warn({ point }, 'a failpoint')
    process.kill(process.pid, failures[failing.failure])
  }
}
