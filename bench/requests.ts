/** Requests to a service, some at once. */
import { setTimeout as sleep } from 'node:timers/promises'

/** How many are on their way at most. */
export const abreast = 10

/** Calls with 0, 1, 2 … as often as told. */
export async function many(count: number, call: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const hand = async () => {
    for (let n = next++; n < count; n = next++) await call(n)
  }
  await Promise.all(Array.from({ length: abreast }, hand))
}

/** Until a service has nothing left to do. @throws {Error} when a task has failed. */
export async function allEnded(url: string, signal: AbortSignal): Promise<void> {
  const areAny = async (state: string) => {
    const response = await fetch(`${url}/v1/tasks?state=${state}&limit=1`, { signal })
    return (await answerOf<{ tasks: unknown[] }>(response)).tasks.length > 0
  }
  while ((await areAny('queued')) || (await areAny('running'))) await sleep(50, undefined, { signal })
  if (await areAny('failed')) throw new Error('A task has failed.')
}

/** @throws {Error} with what the service says, when that is no success. */
export async function answerOf<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T
  throw new Error(`${response.url} has answered ${response.status}: ${await response.text()}`)
}
