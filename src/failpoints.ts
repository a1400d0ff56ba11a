/** Places in a delivery at which a test may have this process die or stop, to see that nothing is lost and nothing there twice. */

/** Before and after everything that can be left half done. */
export const failpoints = [
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
  readonly point: Failpoint
  readonly failure: keyof typeof failures
}

/** Called at every point; undefined when nothing is to happen anywhere. */
export type Fail = ((point: Failpoint) => void) | undefined

export function failAt(failing: Failing | undefined): Fail {
  if (failing === undefined) return undefined
  let isDone = false
  return (point) => {
    if (isDone || point !== failing.point) return
    // Whoever is stopped goes on one day, and then shall not stop again.
    isDone = true
    process.kill(process.pid, failures[failing.failure])
  }
}
