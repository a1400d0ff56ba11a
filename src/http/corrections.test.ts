import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { fixableCsv, insertTask, json, post, type Served, serve, succeed } from '../../test/http-fixture.ts'
import type { NewTask } from '../entries.ts'

const fixed = '_line,_code,_message,Song,_raw\n3,missing-cell,,Umbrella,x\n'

const correct = (served: Served, id: string, query = '', body: string | FormData = fixed) =>
  fetch(`${served.url}/v1/tasks/${id}/corrections${query}`, { method: 'POST', body })

/** A task that has succeeded with one reject. */
async function parent(served: Served, over: Partial<NewTask> = {}): Promise<string> {
  const { id } = await insertTask(served, 'local', over)
  await succeed(served, id)
  return id
}

test('the records that were rejected are downloaded in the form in which they are sent back', async () => {
  await using served = await serve()
  const id = await parent(served)
  const task = await json(await fetch(`${served.url}/v1/tasks/${id}`))
  const { fixable } = task['rejects'] as { fixable: { url: string }[] }
  const url = `/v1/tasks/${id}/rejects?format=fixable`
  assert.deepEqual(fixable, [{ input: 'plays', bytes: fixableCsv.length, url: `${url}&input=plays` }])
  for (const path of [url, fixable[0]?.url ?? '']) {
    const response = await fetch(served.url + path)
    assert.equal(response.headers.get('content-disposition'), 'attachment; filename="rejects.fixable.csv"')
    assert.equal(await response.text(), fixableCsv)
  }
  for (const [query, status] of [
    ['format=fixable&input=songs', 404],
    ['format=fixed', 400],
    ['input=plays', 400],
  ] as const) {
    assert.equal((await fetch(`${served.url}/v1/tasks/${id}/rejects?${query}`)).status, status, query)
  }
})

test('when several inputs have rejects, one is named', async () => {
  await using served = await serve()
  const { id } = await insertTask(served)
  await served.catalog.claim(id, 60_000)
  const file = await served.blobs.put(`results/${id}/1/x`, Readable.from([Buffer.from(fixableCsv)]))
  const fixable = ['orders', 'items'].map((input) => ({ input, bytes: file.bytes, blob: `results/${id}/1/x` }))
  const rejects = { count: 2, bytes: 1, blob: `results/${id}/1/y`, fixable }
  const balances = { inputs: {}, outputs: {} }
  await served.catalog.finish(id, 1, { state: 'succeeded', balances, warnings: [], outputs: [], rejects })
  const url = `${served.url}/v1/tasks/${id}/rejects?format=fixable`
  const refused = await fetch(url)
  assert.equal(refused.status, 400)
  assert.match(String((await json(refused))['detail']), /several inputs: orders, items\. Name one with \?input=/)
  assert.equal(await (await fetch(`${url}&input=items`)).text(), fixableCsv)
})

test('corrected rejects become a task that does the same, by a plain body or a form', async () => {
  await using served = await serve()
  const params = { mode: 'append', 'reader.delimiter': ';' }
  const form = new FormData()
  form.set('name', 'b.csv')
  form.set('file', new Blob([fixed]), 'file name.csv')
  for (const [name, query, body] of [
    ['a.csv', '?name=a.csv', fixed],
    ['b.csv', '', form],
    ['upload.csv', '', fixed],
  ] as const) {
    const id = await parent(served, { params })
    const response = await correct(served, id, query, body)
    const { upload, task } = (await response.json()) as Record<'upload' | 'task', Record<string, unknown>>
    assert.deepEqual(
      [response.status, response.headers.get('location')],
      [202, `/v1/tasks/${String(task['id'])}`],
      JSON.stringify(task),
    )
    assert.deepEqual(
      [task['state'], task['pipeline'], task['params'], task['inputs'], task['corrects']],
      ['queued', 'song-plays', { mode: 'append' }, [{ input: 'plays', upload: upload['id'], name }], id],
    )
    assert.equal((await served.catalog.getTask(String(task['id'])))?.pipelineText, 'secret: text')
    assert.equal((await json(await fetch(`${served.url}/v1/tasks/${id}`)))['correctedBy'], task['id'])
  }
})

test('what cannot be corrected is refused, and nothing of it stays', async () => {
  await using served = await serve()
  const { catalog } = served
  const queued = (await insertTask(served)).id
  const failed = (await insertTask(served)).id
  await catalog.claim(failed, 60_000)
  const error = { code: 'rejected', message: 'no' } as const
  await catalog.finish(failed, 1, { state: 'failed', error, balances: null, rejects: null, crashed: false })
  const clean = (await insertTask(served)).id
  await catalog.claim(clean, 60_000)
  const balances = { inputs: {}, outputs: {} }
  await catalog.finish(clean, 1, { state: 'succeeded', balances, warnings: [], outputs: [], rejects: null })
  const [first, second] = [await insertTask(served), await insertTask(served)]
  const inputs = [first, second].flatMap((task, i) => task.inputs.map((one) => ({ ...one, input: `input${i}` })))
  const several = await parent(served, { inputs })
  const corrected = await parent(served)
  assert.equal((await correct(served, corrected)).status, 202)
  const sound = await parent(served)
  const form = new FormData()
  form.set('param.mode', 'append')
  form.set('file', new Blob([fixed]), 'a.csv')

  const everything = async () => [await served.files(), await catalog.listUploads('local', { limit: 100 })]
  const before = await everything()
  for (const [id, query, body, status, words] of [
    [queued, '', fixed, 409, /is queued/],
    [failed, '', fixed, 409, /has failed, and has delivered nothing.*whole/],
    [clean, '', fixed, 409, /nothing to correct/],
    [several, '', fixed, 409, /several inputs \(input0, input1\)/],
    [corrected, '', fixed, 409, /is corrected by task \w{26} already/],
    ['9'.repeat(26), '', fixed, 404, /There is no task/],
    [sound, '?pipeline=song-plays', fixed, 400, /pipeline/],
    [sound, '', form, 400, /Only name/],
  ] as const) {
    const response = await correct(served, id, query, body)
    assert.equal(response.status, status)
    assert.match(String((await json(response))['detail']), words)
  }
  assert.deepEqual(await everything(), before)
})

test('a correction that has come to nothing makes room for another, and is retried only then', async () => {
  await using served = await serve()
  const id = await parent(served)
  const taskOf = async (response: Response) => ((await response.json()) as { task: { id: string } }).task.id
  const first = await taskOf(await correct(served, id))
  await served.catalog.cancel(first)
  const second = await taskOf(await correct(served, id))
  assert.equal((await post(`${served.url}/v1/tasks/${first}/retry`, {})).status, 409)
  await served.catalog.cancel(second)
  const retried = await json(await post(`${served.url}/v1/tasks/${first}/retry`, {}))
  assert.deepEqual([retried['retryOf'], retried['corrects']], [first, id])
})

test('a family adds up: what any of it has accepted, what is rejected still, and what nobody sent back', async () => {
  await using served = await serve()
  const { catalog, url } = served
  const family = async (id: string) => (await json(await fetch(`${url}/v1/tasks/${id}`)))['family']
  const ends = async (id: string, records: number, rejected: number) => {
    const { attempt = 0 } = (await catalog.claim(id, 60_000)) ?? {}
    const plays = { records, accepted: records - rejected, rejected, blankLines: 0 }
    const file = { bytes: 0, blob: `results/${id}/rejects` }
    const rejects = rejected === 0 ? null : { ...file, count: rejected, fixable: [{ ...file, input: 'plays' }] }
    const balances = { inputs: { plays }, outputs: {} }
    assert.ok(await catalog.finish(id, attempt, { state: 'succeeded', balances, warnings: [], outputs: [], rejects }))
  }
  const root = (await insertTask(served)).id
  await ends(root, 100, 10)
  assert.equal(await family(root), undefined)
  const corrects = async (id: string) =>
    ((await (await correct(served, id)).json()) as { task: { id: string } }).task.id
  const first = await corrects(root)
  assert.deepEqual(await family(root), { records: 100, accepted: 90, rejected: 10, left: 0 })
  await ends(first, 8, 3)
  const second = await corrects(first)
  await ends(second, 2, 0)
  for (const id of [root, first, second]) {
    assert.deepEqual(await family(id), { records: 100, accepted: 97, rejected: 0, left: 3 })
  }
})
