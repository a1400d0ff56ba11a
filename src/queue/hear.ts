/** How a hand answers a bell, whatever rang it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { Answer, Work } from '../ports.ts'

/**
 * Calls the handler, and sees through what there is to do.
 * @param see runs the work, and lets the bell go when its time has come.
 * @returns false when the hand had better pause: what made the handler fail may last, and the next bell would fare alike.
 */
export async function hear(
  handler: Answer,
  task: string,
  log: Log,
  see: (work: Work) => Promise<void>,
): Promise<boolean> {
  let work: Work | undefined
  try {
    work = await handler(task)
  } catch (err) {
    log.error({ err, task }, 'a bell was not answered; the task stays due in the catalog')
    return false
  }
  try {
    if (work !== undefined) await see(work)
  } catch (err) {
    log.error({ err, task }, 'what a bell was for broke off')
  }
  return true
}

/** Waits, unless there is no more point in it. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => undefined)
}
