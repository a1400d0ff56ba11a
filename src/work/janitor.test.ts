import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { temporaryFolder } from '../../test/harness.ts'
import { insertTask, serve, succeed } from '../../test/http-fixture.ts'
import { createLog } from '../log.ts'
import { resultsPrefix } from '../model.ts'
import { sweep } from './janitor.ts'

test('what a task has delivered stays, rejects in both forms included; what nobody accounts for goes', async () => {
  await using served = await serve()
  await using folder = await temporaryFolder()
  const { catalog, blobs } = served
  const { id } = await insertTask(served)
  await succeed(served, id)
  const delivered = await blobs.list(resultsPrefix)
  await blobs.put(`${resultsPrefix}${id}/debris`, Readable.from([Buffer.from('x')]))
  await sweep({ catalog, blobs, scratch: join(folder.path, 'scratch'), log: createLog('silent') })
  assert.equal(delivered.length, 3)
  assert.deepEqual(await blobs.list(resultsPrefix), delivered)
})
