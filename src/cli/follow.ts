import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import { isEnded } from '../model.ts'
import type { Client, TaskAnswer } from './client.ts'
import type { Context } from './context.ts'
import { phases, withMeter } from './progress.ts'

/** A service that restarts is back within this time, and its task goes on. */
const patienceMs = 60_000
const pollMs = 1_000

/** The task once it has ended; how far it is, is shown meanwhile. */
export async function followShown(
  client: Client,
  task: TaskAnswer,
  { signal, stderr }: Pick<Context, 'signal' | 'stderr'>,
): Promise<TaskAnswer> {
  return await withMeter(stderr, (meter) => {
    const show = ({ progress }: TaskAnswer) => {
      if (progress !== null) meter.show(phases[progress.phase], progress)
    }
    return follow(client, task, show, signal)
  })
}

/**
 * The task once it has ended. Follows its events; where these break off, asks.
 * @throws {AppError} unavailable, when the service was not to be reached for a minute.
 */
export async function follow(
  client: Client,
  task: TaskAnswer,
  onChange: (task: TaskAnswer) => void,
  signal: AbortSignal,
): Promise<TaskAnswer> {
  let latest = task
  let answered = performance.now()
  const take = (change: TaskAnswer) => {
    latest = change
    answered = performance.now()
    onChange(change)
  }
  while (!isEnded(latest.state)) {
    try {
      for await (const change of client.events<TaskAnswer>(task.links.events)) take(change)
      if (isEnded(latest.state)) break
      await sleep(pollMs, undefined, { signal })
      take(await client.get(task.links.self))
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unavailable') throw error
      if (performance.now() - answered > patienceMs) throw error
      await sleep(pollMs, undefined, { signal })
    }
  }
  return latest
}
