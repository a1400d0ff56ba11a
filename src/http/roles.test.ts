import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../../test/http-fixture.ts'

const csv = { 'content-type': 'text/csv' }

test('a process answers for its roles, and others for the rest', async () => {
  await using uploads = await serve({ does: ['upload'] })
  await using tasks = await serve({ does: ['tasks'], data: uploads.data })
  await using worker = await serve({ does: ['worker', 'janitor'], data: uploads.data })

  const file = { method: 'POST', headers: csv, body: 'Song,Date,Number of Plays\na,2020-01-01,1\n' }
  const sent = await fetch(`${uploads.url}/v1/uploads?name=plays.csv&pipeline=song-plays`, file)
  const { task } = (await sent.json()) as { task: { id: string } }
  assert.equal(sent.status, 202)
  // Where its task is to be found is the same for all: a gateway knows who has it.
  const at = `/v1/tasks/${task.id}`
  assert.deepEqual(
    await Promise.all([uploads, tasks, worker].map(async ({ url }) => (await fetch(url + at)).status)),
    [404, 200, 404],
  )
  for (const { url } of [tasks, worker]) assert.equal((await fetch(`${url}/v1/uploads`, file)).status, 404)
  for (const { url } of [uploads, tasks, worker]) {
    for (const path of ['/livez', '/readyz', '/v1/limits', '/v1/version']) {
      assert.equal((await fetch(url + path)).status, 200, path)
    }
  }
  const { paths } = (await (await fetch(`${tasks.url}/openapi.json`)).json()) as { paths: object }
  assert.deepEqual([Object.hasOwn(paths, '/v1/tasks'), Object.hasOwn(paths, '/v1/uploads')], [true, false])
})
