import { setTimeout as sleep } from 'node:timers/promises'
import { isEnded, type Task } from '../model.ts'
import type { Catalog } from '../ports.ts'

const pollMs = 200

/**
 * The task now and after every change, until it has ended or the signal is aborted. Asks the catalog, since the worker
 * may be another process.
 */
export async function* watch(
  catalog: Pick<Catalog, 'getTask'>,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Task, void> {
  let seen = ''
  while (!signal.aborted) {
    const task = await catalog.getTask(id)
    if (task === undefined) return
    // A heartbeat moves the lease; nobody who watches can see that.
    const shown = JSON.stringify({ ...task, leaseUntil: null })
    if (shown !== seen) yield task
    if (isEnded(task.state)) return
    seen = shown
    await sleep(pollMs, undefined, { signal }).catch(() => {})
  }
}
