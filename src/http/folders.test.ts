import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { contentOf, json, refusal, type Served, serve } from '../../test/http-fixture.ts'

type Shown = Readonly<Record<string, unknown>>

const header = 'Song,Date,Number of Plays\n'
const halves = [`${header}Umbrella,2020-01-02,200\n`, `${header}Halo,2020-01-02,7\n`] as const

/** A new folder: its name, and what is sent to it. */
async function begin({ url }: Served, query = '', headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/api/upload${query}`, { method: 'POST', headers })
  assert.equal(response.status, 201)
  const { folder_name: name, assembled } = (await response.json()) as { folder_name: string; assembled: boolean }
  assert.equal(response.headers.get('location'), `/api/upload/${name}`)
  const path = `${url}/api/upload/${name}`
  return {
    name,
    assembled,
    send: (body: string | Uint8Array | FormData, more = '', given: Record<string, string> = {}) =>
      fetch(path + more, { method: 'POST', body, headers: given }),
    complete: () => fetch(`${path}/complete`, { method: 'POST' }),
  }
}

/** A form with a file, and what stands before it. */
function formOf(content: string, fields: Record<string, string> = {}): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  form.set('file', new Blob([content]), 'piece.csv')
  return form
}

const shown = async (response: Response) => (await response.json()) as Readonly<Record<'upload' | 'task', Shown>>

test('each piece of a folder is a file and a task of its own, as a body and in a form', async () => {
  await using served = await serve()
  const folder = await begin(served)
  assert.equal(folder.assembled, false)
  const one = await folder.send(halves[0], '?name=one.csv')
  const two = await folder.send(formOf(halves[1]))
  const tasks = []
  for (const [response, name] of [
    [one, 'one.csv'],
    [two, 'piece.csv'],
  ] as const) {
    const { upload, task } = await shown(response)
    assert.equal(response.status, 202)
    assert.equal(response.headers.get('location'), `/v1/tasks/${String(task['id'])}`)
    assert.deepEqual(task['inputs'], [{ input: 'plays', upload: upload['id'], name }])
    assert.deepEqual([task['pipeline'], upload['set']], ['song-plays', folder.name])
    tasks.push(task['id'])
  }
  assert.deepEqual(await served.catalog.dueTasks(5), tasks)
  const set = await json(await fetch(`${served.url}/v1/sets/${folder.name}`))
  assert.partialDeepStrictEqual(set, { id: folder.name, name: null, state: 'waiting', pipeline: 'song-plays' })
})

test('a folder that says so is one file, whose pieces come in any order', async () => {
  await using served = await serve()
  for (const query of ['?assemble=true', '?assemble=true&name=plays.csv']) {
    const { name, assembled, send, complete } = await begin(served, query)
    assert.equal(assembled, true)
    assert.equal((await send(halves[1], '?index=2')).status, 200)
    assert.equal((await send(formOf(halves[0], { index: '1' }))).status, 200)
    // The field counts before the query, as everywhere.
    assert.equal((await send(formOf(halves[0], { index: '1' }), '?index=2')).status, 200)
    const completed = await complete()
    const { upload, task } = await shown(completed)
    assert.equal(completed.status, 202)
    assert.partialDeepStrictEqual(upload, {
      id: name,
      state: 'complete',
      joined: 'as rows',
      name: query.endsWith('csv') ? 'plays.csv' : 'upload.csv',
    })
    assert.equal(String(await contentOf(served, name)), halves.join(''))
    assert.equal(task['pipeline'], 'song-plays')
    await served.catalog.cancel(String(task['id']))
  }
})

test('pieces without a number come one behind another, and one that comes again is the one that it was', async () => {
  await using served = await serve()
  const { name, send } = await begin(served, '?assemble=true')
  for (const piece of [halves[0], halves[0], halves[1], halves[0], halves[1]]) {
    const { upload } = await shown(await send(piece))
    assert.equal(upload['state'], 'open')
  }
  assert.equal(String(await contentOf(served, name)), halves.join(''))
})

test('a folder of so many pieces is complete with the last of them', async () => {
  await using served = await serve()
  const { name, assembled, send, complete } = await begin(served, '?total=2')
  assert.equal(assembled, true)
  assert.equal(await refusal(await complete()), '409 conflict')
  await send(halves[1], '?index=2')
  assert.equal(await refusal(await complete()), '409 conflict')
  const { upload } = await shown(await send(halves[0], '?index=1'))
  assert.deepEqual([upload['state'], upload['id']], ['complete', name])
  assert.deepEqual(await served.catalog.dueTasks(2), [upload['task']])
  const { task } = await shown(await complete())
  assert.equal(task['id'], upload['task'])
  // Its answer was lost.
  assert.equal((await send(halves[0], '?index=1')).status, 200)
  assert.equal(await refusal(await send('something else', '?index=1')), '409 conflict')
})

test('a folder may be for another pipeline, with params, and is refused when that is wrong', async () => {
  await using served = await serve()
  const { send } = await begin(served, '?pipeline=profile')
  assert.equal((await shown(await send(halves[0])))['task']['pipeline'], 'profile')
  const refused = [
    ['pipeline=nope', '404 not_found'],
    ['pipeline=song-plays&param.x=1', '422 unprocessable'],
    ['assemble=true&pipeline=nope', '404 not_found'],
    ['assemble=perhaps', '400 invalid'],
    ['total=0', '400 invalid'],
    ['total=many', '400 invalid'],
    ['total=100001', '400 invalid'],
    ['param.x=1', '400 invalid'],
    ['whatever=1', '400 invalid'],
  ] as const
  for (const [query, told] of refused) {
    const response = await fetch(`${served.url}/api/upload?${query}`, { method: 'POST' })
    assert.equal(await refusal(response), told, query)
  }
  assert.equal((await served.catalog.listSets('local', { limit: 5 })).length, 1)
})

test('what is wrong with a piece is refused, and nothing of it stays', async () => {
  await using served = await serve()
  const folders = [await begin(served), await begin(served, '?assemble=true')]
  for (const { send, name } of folders) {
    assert.equal(await refusal(await send(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))), '422 rejected')
    assert.equal(await refusal(await send(halves[0], '', { 'content-digest': 'sha-256' })), '400 invalid')
    const wrong = { 'content-digest': `sha-256=:${'A'.repeat(43)}=:` }
    assert.equal(await refusal(await send(halves[0], '', wrong)), '460 checksum')
    const noFile = new FormData()
    noFile.set('index', '1')
    assert.equal(await refusal(await send(noFile)), '400 invalid')
    assert.deepEqual([await served.catalog.setUploads(name), await served.catalog.parts(name)], [[], []])
  }
  for (const index of ['0', '-1', 'first', '100001']) {
    assert.equal(await refusal((await folders[1]?.send(halves[0], `?index=${index}`)) ?? new Response()), '400 invalid')
  }
  assert.deepEqual(await served.files(), [])
  assert.deepEqual(await served.catalog.dueTasks(1), [])
})

test('a number is no fault in a folder whose pieces are files of their own, wherever it is told', async () => {
  await using served = await serve()
  const { send } = await begin(served)
  assert.equal((await send(halves[0], '?index=1')).status, 202)
  assert.equal((await send(formOf(halves[1], { index: '2' }))).status, 202)
})

test('equal pieces that are files of their own are told apart by their numbers', async () => {
  await using served = await serve()
  const folder = await begin(served)
  const tasks = []
  for (const index of ['1', '2', '2'])
    tasks.push((await shown(await folder.send(formOf(halves[0], { index })))).task['id'])
  tasks.push((await shown(await folder.send(halves[0], '?index=1'))).task['id'])
  assert.deepEqual(tasks, [tasks[0], tasks[1], tasks[1], tasks[0]])
  assert.notEqual(tasks[0], tasks[1])
})

test('what is told with a piece and means nothing there is refused', async () => {
  await using served = await serve()
  const folder = await begin(served, '?total=2')
  for (const refused of [
    await folder.send('x', '?indx=2'),
    await folder.send('x', `?sha256=${'0'.repeat(64)}`),
    await folder.send(formOf('x', { index: '2', bogus: '1' })),
    await fetch(`${served.url}/v1/uploads/${folder.name}/parts/1?sha256=${'0'.repeat(64)}`, {
      method: 'PUT',
      body: 'x',
    }),
    await fetch(`${served.url}/v1/uploads/${folder.name}/parts/1`, {
      method: 'PUT',
      body: formOf('x', { index: '2' }),
    }),
    await fetch(`${served.url}/v1/uploads?parts=2`, { method: 'POST', body: 'x' }),
  ]) {
    assert.equal(await refusal(refused), '400 invalid')
  }
  assert.deepEqual(await served.files(), [])
})

test('a folder that there is not is told as such', async () => {
  await using served = await serve()
  for (const name of ['nope', '01jzzzzzzzzzzzzzzzzzzzzzzz', '..%2f..%2fetc']) {
    const path = `${served.url}/api/upload/${name}`
    assert.equal(await refusal(await fetch(path, { method: 'POST', body: halves[0] })), '404 not_found')
    assert.equal(await refusal(await fetch(`${path}/complete`, { method: 'POST' })), '404 not_found')
  }
  assert.deepEqual(await served.files(), [])
})

test('the path where the API was described leads to where it is now', async () => {
  await using served = await serve()
  const response = await fetch(`${served.url}/api/upload/docs`, { redirect: 'manual' })
  assert.deepEqual([response.status, response.headers.get('location')], [302, '/docs'])
})

test('what a folder of files has no use for is refused, and that there is nothing to complete is told', async () => {
  await using served = await serve()
  for (const query of [`?sha256=${'0'.repeat(64)}`, '?name=a.csv', '?set=june']) {
    const response = await fetch(`${served.url}/api/upload${query}`, { method: 'POST' })
    assert.equal(await refusal(response), '400 invalid', query)
  }
  const folder = await begin(served, '?pipeline=song-plays')
  assert.equal(await refusal(await folder.complete()), '409 conflict')
  assert.equal(await refusal(await folder.send(halves[0], '?pipeline=profile')), '409 conflict')
  assert.deepEqual(await served.files(), [])
})

test('a file of two pieces takes no third one, whatever keeps it from being complete', async () => {
  await using served = await serve()
  const folder = await begin(served, `?total=2&sha256=${'0'.repeat(64)}`)
  await folder.send('a,b\n1,2\n')
  await folder.send('3,4\n')
  assert.equal(await refusal(await folder.send('5,6\n')), '409 conflict')
  assert.equal((await served.catalog.parts(folder.name)).length, 2)
})

test('pieces of a file that has a hash as a whole are joined as bytes, even if all have the header', async () => {
  await using served = await serve()
  const whole = createHash('sha256').update(halves.join('')).digest('hex')
  const folder = await begin(served, `?total=2&sha256=${whole}`)
  await folder.send(halves[0])
  const { upload } = await shown(await folder.send(halves[1]))
  assert.deepEqual([upload['state'], upload['joined']], ['complete', 'as bytes'])
})
