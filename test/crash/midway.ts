/** The death of the whole service in the middle of a task. */
import assert from 'node:assert/strict'
import { existsSync, openAsBlob } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { isEnded } from '../../src/model.ts'
import {
  childrenOf,
  type Env,
  filesIn,
  type Folder,
  getTask,
  isAlive,
  kill,
  output,
  type Service,
  startService,
  store,
  submit,
  taskEnds,
  until,
} from '../harness.ts'
import { type Plays, writePlays } from './plays.ts'

/** Kills a service that has done between 20 and 80 % of a task, and starts another in its place. */
export async function killMidway(folder: Folder, { rows, env }: { rows: number; env: Env }): Promise<void> {
  const data = folder.at('midway')
  await using first = await startService({ data, env })
  const { id, plays } = await catchMidway(first, folder.at('midway.csv'), rows)
  const below = childrenOf(first.pid)
  await first.kill()
  assert.equal(below.length, 1)
  // As if it had died a little later, with its result stored and the task not yet finished.
  await mkdir(join(data, 'blobs/results', id, '1'), { recursive: true })
  await writeFile(join(data, 'blobs/results', id, '1/totals.csv'), 'Song,')

  await using second = await startService({ data, env })
  const task = await taskEnds(second, { id })
  assert.equal(task.state, 'succeeded', JSON.stringify(task.error))
  assert.deepEqual([task.attempt, task.lostLeases, task.crashes, task.failures], [2, 1, 0, 0])
  assert.equal(task.balances?.inputs['plays']?.accepted, plays.rows)
  assert.equal(await output(second, task, 'totals'), plays.totals)
  assert.deepEqual(await filesIn(join(data, 'blobs/results', id)), ['2/totals.csv'])
  assert.deepEqual(await filesIn(join(data, 'scratch')), [])
  assert.deepEqual(below.filter(isAlive), [])
}

/** Longer than a service takes to write down what its child has told it. */
const toldMs = 600
/** Far shorter than it takes to go through the rows. */
const stepMs = 100

/** A task that has just been seen between 20 and 80 %: its child does a little at a time, until that is told. */
async function catchMidway(service: Service, path: string, rows: number): Promise<{ id: string; plays: Plays }> {
  const plays = await writePlays(path, { rows })
  const upload = await store(service, await openAsBlob(path), 'plays.csv')
  const { id } = await submit(service, 'song-plays', upload.id)
  const [child] = await until('its child is at work', () => {
    return existsSync(join(service.data, 'scratch', `${id}-1`, 'out')) && childrenOf(service.pid)
  })
  assert.ok(child !== undefined)
  const seen = await until('it has done a fifth', async () => {
    kill(child, 'SIGSTOP')
    const task = await sleep(toldMs)
      .then(() => getTask(service, { id }))
      .finally(() => kill(child, 'SIGCONT'))
    if (isEnded(task.state) || share(task) >= 0.2) return task
    await sleep(stepMs)
    return undefined
  })
  if (!isEnded(seen.state) && share(seen) <= 0.8) return { id, plays }
  assert.notEqual(seen.state, 'failed', JSON.stringify(seen.error))
  assert.ok(rows < 100_000_000, 'no progress was to be seen')
  return catchMidway(service, path, 2 * rows)
}

/** The share of its rows that a task has gone through. */
function share({ progress }: TaskAnswer): number {
  return progress?.phase === 'working' ? progress.done / (progress.total ?? Number.NaN) : 0
}
