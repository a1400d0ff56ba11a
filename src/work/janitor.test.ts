import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../test/harness.ts'
import { insertTask, serve, succeed } from '../../test/http-fixture.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { resultsPrefix } from '../model.ts'
import type { Catalog, Queue } from '../ports.ts'
import { openLocalQueue } from '../queue/local.ts'
import { startJanitor } from './janitor.ts'
import { sweepBlobs } from './sweep.ts'

test('what a task has delivered stays, rejects in both forms included; what nobody accounts for goes', async () => {
  await using served = await serve()
  const { catalog, blobs } = served
  const { id } = await insertTask(served)
  await succeed(served, id)
  const delivered = await blobs.list(resultsPrefix)
  await blobs.put(`${resultsPrefix}${id}/debris`, Readable.from([Buffer.from('x')]))
  await sweepBlobs({ catalog, blobs, log: createLog('silent') })
  assert.equal(delivered.length, 3)
  assert.deepEqual(await blobs.list(resultsPrefix), delivered)
})

test('what nobody has asked for is removed when its time is up, unless the clock is suspect', async () => {
  await using served = await serve({ keeping: { incompleteMs: -1_000, filesMs: -1_000 } })
  const { catalog, blobs, url } = served
  await using queue = openLocalQueue(catalog, { pollMs: 60_000, log: createLog('silent') })
  const abandoned: number[] = []
  const abandon = async (idleMs: number) => abandoned.push(idleMs)
  const janitor = (over: Partial<Catalog>) =>
    startJanitor({
      catalog: { ...catalog, ...over },
      blobs: { ...blobs, abandon },
      queue,
      pollMs: 10,
      maxLostLeases: 1,
      log: createLog('silent'),
    })
  const { id } = await insertTask(served)
  await succeed(served, id)
  const stored = await fetch(`${url}/v1/uploads?name=a.csv`, { method: 'POST', body: 'a,b\n1,2\n' })
  const { upload } = (await stored.json()) as { upload: { id: string } }
  const open = await catalog.createUpload({ id: newId(), owner: 'local', name: 'open.csv' })
  const stateOf = async (one: string) => (await catalog.getUpload(one))?.state

  let rounds = 0
  {
    await using _ = janitor({
      clock: async () => {
        rounds++
        return { now: Date.now(), seen: Date.now() + 3_600_000 }
      },
    })
    await until('it has looked several times', () => rounds > 3)
  }
  assert.deepEqual([await stateOf(upload.id), await stateOf(open.id)], ['complete', 'open'])
  assert.deepEqual(abandoned, [])

  await using _ = janitor({})
  await until(
    'all has expired',
    async () => (await stateOf(upload.id)) === 'expired' && (await catalog.getTask(id))?.expired,
  )
  await until('no bytes are left', async () => (await blobs.list('')).length === 0)
  assert.equal(await stateOf(open.id), 'expired')
  assert.equal((await fetch(`${url}/v1/tasks/${id}/outputs/totals`)).status, 410)
  assert.equal((await fetch(`${url}/v1/uploads/${upload.id}`, { method: 'HEAD' })).status, 410)
  assert.deepEqual(await catalog.checkIntegrity(), [])
  assert.deepEqual(abandoned, [24 * 3_600_000])
})

test('a queue that is down keeps the janitor from nothing else, and is rung when it is back', async () => {
  await using served = await serve({ keeping: { incompleteMs: -1_000 } })
  const { catalog, blobs } = served
  const { id: task } = await insertTask(served)
  const open = await catalog.createUpload({ id: newId(), owner: 'local', name: 'open.csv' })
  const rung: string[] = []
  let isDown = true
  const queue: Queue = {
    async ring(one) {
      rung.push(one)
    },
    async waiting() {
      if (isDown) throw new AppError('unavailable', 'The queue is away.')
      return rung.length
    },
    ping: async () => {},
    answer: () => assert.fail(),
    [Symbol.asyncDispose]: async () => {},
  }
  await using _ = startJanitor({
    catalog,
    blobs,
    queue,
    pollMs: 10,
    maxLostLeases: 1,
    log: createLog('silent'),
  })
  await until('the upload has expired', async () => (await catalog.getUpload(open.id))?.state === 'expired')
  assert.deepEqual(rung, [])
  isDown = false
  await until('it has rung', () => rung.length > 0)
  // As long as the bell waits there is none missing.
  assert.deepEqual(await catalog.dueTasks(9), [task])
  for (let round = 0; round < 5; round++) await sleep(10)
  assert.deepEqual(rung, [task])
})
