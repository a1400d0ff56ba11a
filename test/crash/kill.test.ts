/** What a death, a stop or a cancelled task leaves: the right result once, or none. */
import assert from 'node:assert/strict'
import { existsSync, openAsBlob } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { isEnded } from '../../src/model.ts'
import {
  childrenOf,
  filesIn,
  type Folder,
  getTask,
  isAlive,
  isStopped,
  json,
  kill,
  output,
  send,
  type Service,
  startService,
  store,
  submit,
  taskEnds,
  taskWhen,
  temporaryFolder,
  until,
} from '../harness.ts'
import { killMidway } from './midway.ts'
import { type Plays, writePlays } from './plays.ts'

const sample = 'Song,Date,Number of Plays\nUmbrella,2020-01-01,1\nUmbrella,2020-01-01,2\n'
const sampleTotals = 'Song,Date,Total Number of Plays for Date\nUmbrella,2020-01-01,3\n'

/** One thread, so that there is time to interrupt it on any machine. */
const env = { ROWMILL_THREADS: '1', ROWMILL_PIPELINES: fileURLToPath(new URL('../pipelines', import.meta.url)) }

let folder: Folder
let data: string
let plays: Plays
/** The plays are stored there under this id. */
let upload: string
before(async () => {
  folder = await temporaryFolder()
  data = folder.at('data')
  plays = await writePlays(folder.at('plays.csv'), { rows: 1_000_000 })
  await using service = await startService({ data, env })
  upload = (await store(service, await openAsBlob(plays.path), 'plays.csv')).id
  await service.stop()
})
after(() => folder[Symbol.asyncDispose]())

function resultsOf({ id }: Pick<TaskAnswer, 'id'>): Promise<string[]> {
  return filesIn(join(data, 'blobs/results', id))
}

/** The child has begun: it makes this folder first of all. */
async function atWork(service: Service, { id }: Pick<TaskAnswer, 'id'>): Promise<void> {
  await until('the child is at work', () => existsSync(join(service.data, 'scratch', `${id}-1`, 'out')))
}

async function assertWorks(service: Service): Promise<void> {
  const { task } = await send(service, sample, { name: 'plays.csv', pipeline: 'song-plays' })
  assert.equal(await output(service, await taskEnds(service, task), 'totals'), sampleTotals)
}

test('a task goes on after the whole service was killed half-way, and its result is there once', async () => {
  await killMidway(folder, { rows: 1_000_000, env })
})

test('no child outlives a service that was killed, however much it still has to do', async () => {
  await using service = await startService({ data: folder.at('orphan'), env })
  const { task } = await send(service, sample, { name: 'plays.csv', pipeline: 'endless' })
  await atWork(service, task)
  const [child] = childrenOf(service.pid)
  await service.kill()
  assert.ok(child !== undefined)
  await until('the child has ended', () => !isAlive(child))
})

test('a task goes back to the queue when the service is stopped, or is finished first if there is time', async () => {
  await using first = await startService({ data, env: { ...env, ROWMILL_DRAIN: '100ms' } })
  const { id } = await submit(first, 'song-plays', upload)
  await atWork(first, { id })
  const below = childrenOf(first.pid)
  assert.equal(await first.stop(), 0)
  assert.deepEqual(below.filter(isAlive), [])
  assert.equal(existsSync(join(data, 'scratch', `${id}-1`)), false)

  await using second = await startService({ data, env: { ...env, ROWMILL_DRAIN: '60s' } })
  await taskWhen(second, { id }, ({ state, attempt }) => state === 'running' && attempt === 2)
  assert.equal(await second.stop(), 0)

  await using third = await startService({ data, env })
  const task = await getTask(third, { id })
  assert.deepEqual([task.state, task.attempt, task.lostLeases, task.crashes], ['succeeded', 2, 0, 0])
  assert.equal(await output(third, task, 'totals'), plays.totals)
})

test('a service that was frozen past its lease changes nothing when it wakes up', async () => {
  await using zombie = await startService({ data, env })
  const { id } = await submit(zombie, 'song-plays', upload)
  await atWork(zombie, { id })
  await freeze(zombie)

  await using other = await startService({ data, env })
  const task = await taskEnds(other, { id })
  assert.deepEqual([task.state, task.attempt, task.lostLeases], ['succeeded', 2, 1])
  assert.equal(await other.stop(), 0)

  zombie.send('SIGCONT')
  // Connections that were open to it time out now; under another name there are none.
  const awake = { ...zombie, url: zombie.url.replace('localhost', '127.0.0.1') }
  // It has one worker, so by the time that it has done something else it has given up the task.
  await assertWorks(awake)
  assert.deepEqual(await getTask(awake, { id }), task)
  assert.deepEqual(await resultsOf({ id }), ['2/totals.csv'])
  assert.equal(await output(awake, task, 'totals'), plays.totals)
})

/** SIGSTOP, but not in the middle of a transaction: that would stop every other service as well. */
async function freeze(service: Service): Promise<void> {
  using catalog = new DatabaseSync(join(service.data, 'catalog.db'))
  await until('it is frozen without the lock of the catalog', async () => {
    service.send('SIGSTOP')
    await until('it is frozen', () => isStopped(service.pid))
    try {
      catalog.exec('begin immediate; rollback')
      return true
    } catch {
      service.send('SIGCONT')
      return false
    }
  })
}

suite('a service goes on', () => {
  let service: Service
  before(async () => {
    service = await startService({ data, env })
  })
  after(() => service[Symbol.asyncDispose]())

  test('when a child is killed: it answers, and tries the task again', async () => {
    const { id } = await submit(service, 'song-plays', upload)
    await atWork(service, { id })
    const [child, ...others] = childrenOf(service.pid)
    assert.ok(child !== undefined && others.length === 0)
    kill(child)
    assert.deepEqual(await json(await fetch(`${service.url}/livez`)), { status: 'ok' })
    const task = await taskEnds(service, { id })
    assert.deepEqual([task.state, task.attempt, task.crashes, task.lostLeases], ['succeeded', 2, 1, 0])
    assert.equal(await output(service, task, 'totals'), plays.totals)
    assert.deepEqual(await resultsOf({ id }), ['2/totals.csv'])
  })

  test('when a pipeline’s child dies every time: the third death fails the task and says so', async () => {
    const { id } = await submit(service, 'endless', upload)
    const task = await until('it has failed', async () => {
      for (const child of childrenOf(service.pid)) kill(child)
      const latest = await getTask(service, { id })
      return isEnded(latest.state) && latest
    })
    assert.deepEqual([task.state, task.attempt, task.crashes, task.lostLeases], ['failed', 3, 3, 0])
    assert.deepEqual(task.error, {
      code: 'crashed',
      message: 'The process that ran the pipeline died (signal SIGKILL). Given up after 3 times.',
    })
    assert.deepEqual(await resultsOf({ id }), [])
    await assertWorks(service)
  })

  test('when a running task is cancelled: its work is ended and nothing of it is left', async () => {
    const { id } = await submit(service, 'endless', upload)
    await atWork(service, { id })
    const [child, ...others] = childrenOf(service.pid)
    assert.ok(child !== undefined && others.length === 0)
    const cancel = () => fetch(`${service.url}/v1/tasks/${id}/cancel`, { method: 'POST' })
    assert.equal((await json<TaskAnswer>(await cancel())).state, 'cancelled')
    await until('its child has ended', () => !isAlive(child))
    await until('its scratch folder is gone', () => !existsSync(join(data, 'scratch', `${id}-1`)))
    assert.equal((await getTask(service, { id })).state, 'cancelled')
    assert.deepEqual(await resultsOf({ id }), [])
    assert.equal((await cancel()).status, 409)
    await assertWorks(service)
  })

  test('when its folders are deleted under it: they come back', async () => {
    for (const names of [['blobs'], ['scratch'], ['catalog.db', 'catalog.db-wal', 'catalog.db-shm'], ['']]) {
      for (const name of names) await rm(join(data, name), { recursive: true, maxRetries: 10 })
      await assertWorks(service)
    }
  })
})
