import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csv, insertTask, json, post, rejectsCsv, serve, succeed, until } from '../../test/http-fixture.ts'
import { isFile } from '../model.ts'

const uploadOf = (task: { inputs: readonly { upload: string }[] }) => task.inputs[0]?.upload ?? ''

test('a task is submitted, answered with 202 and where it is, and shows nothing of our own', async () => {
  await using served = await serve()
  const upload = uploadOf(await insertTask(served))
  const response = await post(`${served.url}/v1/tasks`, {
    pipeline: 'song-plays',
    inputs: [{ upload, input: 'plays' }],
  })
  const task = await json(response)
  const self = `/v1/tasks/${String(task['id'])}`
  assert.deepEqual([response.status, response.headers.get('location')], [202, self])
  const { id, createdAt, ...rest } = task
  assert.deepEqual(rest, {
    pipeline: 'song-plays',
    state: 'queued',
    params: {},
    inputs: [{ input: 'plays', upload, name: 'plays.csv' }],
    attempt: 0,
    crashes: 0,
    failures: 0,
    lostLeases: 0,
    progress: null,
    balances: null,
    warnings: [],
    outputs: [],
    rejects: null,
    error: null,
    retryOf: null,
    duplicateOf: null,
    corrects: null,
    correctedBy: null,
    dryRun: false,
    plan: null,
    planHash: null,
    undoes: null,
    undoneBy: null,
    undone: null,
    startedAt: null,
    endedAt: null,
    expiresAt: null,
    expired: false,
    links: { self, events: `${self}/events`, cancel: `${self}/cancel`, retry: `${self}/retry`, undo: `${self}/undo` },
  })
  assert.equal(new Date(String(createdAt)).toISOString(), createdAt)

  await succeed(served, String(id))
  const ended = await (await fetch(served.url + self)).text()
  assert.match(ended, new RegExp(`"url":"${self}/outputs/totals"`))
  assert.doesNotMatch(ended, /pipelineText|"blob"|results\/|owner/)
})

test('a submission that cannot run is refused and leaves no task', async () => {
  await using served = await serve()
  const upload = uploadOf(await insertTask(served))
  const open = await served.catalog.createUpload({ id: '2'.repeat(26), owner: 'local', name: 'plays.csv' })
  const before = await served.catalog.listTasks('local', { limit: 10 })
  const good = { pipeline: 'song-plays', inputs: [{ upload }] }
  const bad = [
    [{ ...good, owner: 'someone' }, 422],
    [{ ...good, inputs: [{ upload, state: 'complete' }] }, 422],
    [{ ...good, inputs: [] }, 422],
    [{ ...good, inputs: [{ upload }, { upload }] }, 422],
    [{ ...good, inputs: [{ upload, input: 'nope' }] }, 422],
    [{ ...good, params: { x: 1 } }, 422],
    [{ ...good, params: { x: { y: 1 } } }, 422],
    [{ ...good, pipeline: 'nope' }, 404],
    [{ ...good, inputs: [{ upload: '3'.repeat(26) }] }, 404],
    [{ ...good, inputs: [{ upload: '../1' }] }, 404],
    [{ ...good, inputs: [{ upload: open.id }] }, 409],
  ] as const
  for (const [body, status] of bad) {
    assert.equal((await post(`${served.url}/v1/tasks`, body)).status, status, JSON.stringify(body))
  }
  assert.deepEqual(await served.catalog.listTasks('local', { limit: 10 }), before)
})

test('who waits is answered at the end, who does not at once', async () => {
  await using served = await serve()
  const { id, inputs } = await insertTask(served)
  const url = `${served.url}/v1/tasks/${id}`
  assert.equal((await json(await fetch(`${url}?wait=0`)))['state'], 'queued')
  const waits = [fetch(`${url}?wait=60`), fetch(url, { headers: { prefer: 'respond-async, wait=60' } })]
  await succeed(served, id)
  for (const response of await Promise.all(waits)) assert.equal((await json(response))['state'], 'succeeded')

  const submitted = post(`${served.url}/v1/tasks?wait=60`, {
    pipeline: 'song-plays',
    inputs: [{ upload: uploadOf({ inputs }) }],
  })
  let due: string[] = []
  await until(async () => {
    due = await served.catalog.dueTasks(1)
    return due.length > 0
  })
  await succeed(served, due[0] ?? '')
  const response = await submitted
  assert.deepEqual([response.status, (await json(response))['state']], [200, 'succeeded'])
})

test('a task is cancelled until it has ended and retried from then on', async () => {
  await using served = await serve()
  const { id, pipelineText } = await insertTask(served)
  const url = `${served.url}/v1/tasks/${id}`
  const early = await post(`${url}/retry`, {})
  assert.deepEqual([early.status, (await json(early))['code']], [409, 'conflict'])
  const asJson = { method: 'POST', headers: { 'content-type': 'application/json' } }
  assert.equal((await json(await fetch(`${url}/cancel`, asJson)))['state'], 'cancelled')
  assert.equal((await fetch(`${url}/cancel`, { method: 'POST' })).status, 409)

  const retried = await fetch(`${url}/retry`, { method: 'POST' })
  const task = await json(retried)
  assert.deepEqual([retried.status, retried.headers.get('location')], [202, `/v1/tasks/${String(task['id'])}`])
  assert.deepEqual([task['state'], task['retryOf']], ['queued', id])
  assert.equal((await served.catalog.getTask(String(task['id'])))?.pipelineText, pipelineText)
})

test('tasks are listed by state and page by page', async () => {
  await using served = await serve()
  const ids = [await insertTask(served), await insertTask(served), await insertTask(served)]
    .map(({ id }) => id)
    .toSorted()
  await served.catalog.cancel(ids[1] ?? '')
  const seen: string[] = []
  for (let next: string | null = '/v1/tasks?limit=1&state=queued'; next !== null; ) {
    const page = (await (await fetch(served.url + next)).json()) as { tasks: { id: string }[]; next: string | null }
    seen.push(...page.tasks.map(({ id }) => id))
    next = page.next
  }
  assert.deepEqual(seen, [ids[2], ids[0]])
})

test('outputs and rejects are downloaded as attachments that can be checked', async () => {
  await using served = await serve()
  const { id } = await insertTask(served)
  const url = `${served.url}/v1/tasks/${id}`
  for (const early of ['outputs/totals', 'rejects']) assert.equal((await fetch(`${url}/${early}`)).status, 409)
  await succeed(served, id)
  const [totals] = (await served.catalog.getTask(id))?.outputs ?? []
  const sha256 = totals !== undefined && isFile(totals) ? totals.sha256 : ''
  for (const method of ['GET', 'HEAD']) {
    const response = await fetch(`${url}/outputs/totals`, { method })
    const { headers } = response
    assert.deepEqual(
      ['content-type', 'content-length', 'content-disposition', 'etag', 'repr-digest'].map((name) => headers.get(name)),
      [
        'text/csv; charset=utf-8',
        String(csv.length),
        'attachment; filename="totals.csv"',
        `"${sha256}"`,
        `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
      ],
    )
    assert.equal(await response.text(), method === 'GET' ? csv : '')
  }
  const rejects = await fetch(`${url}/rejects`)
  assert.equal(rejects.headers.get('content-disposition'), 'attachment; filename="rejects.csv"')
  assert.equal(await rejects.text(), rejectsCsv)

  assert.equal((await fetch(`${url}/outputs/nope`)).status, 404)
  await served.blobs.delete(`results/${id}/`)
  const gone = await fetch(`${url}/outputs/totals`)
  assert.equal(gone.status, 404)
  assert.doesNotMatch(await gone.text(), /results\//)
})

test('a failed task has no outputs and says why; without rejects there is no such file', async () => {
  await using served = await serve()
  const { id } = await insertTask(served)
  await served.catalog.claim(id, 60_000)
  const error = {
    code: 'rejected',
    message: 'plays.csv has 1 reject in 2 records.',
    details: { first: 'line 3' },
  } as const
  await served.catalog.finish(id, 1, { state: 'failed', error, balances: null, rejects: null, crashed: false })
  const url = `${served.url}/v1/tasks/${id}`
  const task = await fetch(url)
  assert.deepEqual([task.status, (await json(task))['error']], [200, error])
  const refused = await fetch(`${url}/outputs/totals`)
  const problem = await json(refused)
  assert.deepEqual([refused.status, problem['details']], [409, { error }])
  assert.match(String(problem['detail']), /plays\.csv has 1 reject/)
  assert.equal((await fetch(`${url}/rejects`)).status, 404)
})

test('the clients of the task manager that this replaces find its paths and its words', async () => {
  await using served = await serve()
  const form = new FormData()
  form.set('file', new Blob(['Song,Date,Number of Plays\n']), 'songs.csv')
  for (const body of [form, 'Song,Date,Number of Plays\nUmbrella,2020-01-02,250\n']) {
    const uploaded = await fetch(`${served.url}/v1/data_processor/upload`, { method: 'POST', body })
    const { task_id: id } = (await uploaded.json()) as { task_id: string }
    assert.equal(uploaded.status, 202)
    const status = async () => json(await fetch(`${served.url}/v1/tasks/status/${id}`))
    assert.deepEqual(await status(), { task_id: id, status: 'RECEIVED' })
    assert.equal((await fetch(`${served.url}/v1/data_processor/download/${id}`)).status, 409)
    await succeed(served, id)
    assert.deepEqual(await status(), { task_id: id, status: 'DONE' })
    const download = await fetch(`${served.url}/v1/data_processor/download/${id}`)
    assert.equal(download.headers.get('content-disposition'), 'attachment; filename="totals.csv"')
    assert.equal(await download.text(), csv)
  }
})
