/** Puts right what a death has left behind: lapsed leases, scratch folders and results that belong to nobody. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { isFile, resultsPrefix, type Task } from '../model.ts'
import type { Blobs, Catalog, Queue } from '../ports.ts'
import { scratchName } from './attempt.ts'

export interface JanitorOptions {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly queue: Queue
  readonly scratch: string
  readonly pollMs: number
  readonly maxLostLeases: number
  readonly log: Log
}

/** Debris is rare and searching for it reads everything, so it is not done on every round. */
const roundsPerSweep = 720

export function startJanitor(options: JanitorOptions): AsyncDisposable {
  const stop = new AbortController()
  const rounds = async () => {
    for (let round = 0; !stop.signal.aborted; round++) {
      try {
        await requeue(options)
        if (round % roundsPerSweep === 0) await sweep(options)
      } catch (error) {
        options.log.warn({ err: error }, 'the janitor will try again')
      }
      await sleep(options.pollMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const working = rounds()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await working
    },
  }
}

/** Tasks whose worker fell silent go back to the queue. */
async function requeue({ catalog, queue, maxLostLeases, log }: JanitorOptions): Promise<void> {
  for (const task of await catalog.requeueLapsed(maxLostLeases)) {
    log.warn({ task }, 'the lease has run out')
    await queue.ring(task)
  }
}

/** Removes scratch folders and results that no task of the catalog accounts for. */
export async function sweep({
  catalog,
  blobs,
  scratch,
  log,
}: Pick<JanitorOptions, 'catalog' | 'blobs' | 'scratch' | 'log'>): Promise<void> {
  for (const name of await namesIn(scratch)) {
    const task = await catalog.getTask(name.split('-')[0] ?? '')
    if (task?.state === 'running' && name === scratchName(task)) continue
    log.info({ name }, 'removing a scratch folder that nobody uses')
    await rm(join(scratch, name), { recursive: true, force: true })
  }
  for (const key of await blobs.list(resultsPrefix)) {
    const [id = '', attempt] = key.slice(resultsPrefix.length).split('/')
    const task = await catalog.getTask(id)
    if (task !== undefined && isAccountedFor(task, key, Number(attempt))) continue
    log.info({ key }, 'removing a result that no task has delivered')
    await blobs.delete(key)
  }
}

function isAccountedFor(task: Task, key: string, attempt: number): boolean {
  if (task.state === 'running' && task.attempt === attempt) return true
  const { rejects, outputs } = task
  const files = [...(rejects === null ? [] : [rejects, ...rejects.fixable]), ...outputs.filter(isFile)]
  return files.some(({ blob }) => blob === key)
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
