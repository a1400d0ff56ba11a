import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startService, temporaryFolder } from '../../test/harness.ts'
import { contentOf, hold, json, refusal, type Served, serve, until } from '../../test/http-fixture.ts'
import { tusClient } from '../../test/tus-fixture.ts'

type Shown = Readonly<Record<string, unknown>>

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\nHalo,2020-01-02,7\n'
const third = Math.ceil(plays.length / 3)
const pieces = [plays.slice(0, third), plays.slice(third, 2 * third), plays.slice(2 * third)] as const
const last = pieces.length

/** An upload in pieces: its id, and what is asked of it. */
async function begin({ url }: Pick<Served, 'url'>, query: string) {
  const response = await fetch(`${url}/v1/uploads?${query}`, { method: 'POST' })
  assert.equal(response.status, 201)
  const { upload } = (await response.json()) as { upload: { id: string; comes: string } }
  assert.equal(upload.comes, 'in pieces')
  assert.equal(response.headers.get('location'), `/v1/uploads/${upload.id}`)
  const path = `${url}/v1/uploads/${upload.id}`
  return {
    id: upload.id,
    get: () => fetch(path).then(json),
    put: (n: number | string, body: string | Uint8Array | FormData, headers: Record<string, string> = {}) =>
      fetch(`${path}/parts/${n}`, { method: 'PUT', body, headers }),
    complete: () => fetch(`${path}/complete`, { method: 'POST' }),
    /** The numbers and sizes of what is stored. */
    parts: async () => {
      const { parts } = (await (await fetch(`${path}/parts`)).json()) as { parts: { n: number; bytes: number }[] }
      return parts.map(({ n, bytes }) => [n, bytes])
    },
  }
}

async function assertWhole(served: Served, id: string): Promise<void> {
  assert.equal((await served.catalog.getUpload(id))?.state, 'complete')
  assert.equal(String(await contentOf(served, id)), plays)
  assert.equal((await served.files()).length, (await served.catalog.parts(id)).length)
}

test('pieces come in any order, twice, and once more with other bytes; the last word counts', async () => {
  await using served = await serve()
  const { id, put, complete, get, parts } = await begin(served, 'parts=any&name=plays.csv')
  for (const n of [3, 1, 2, 2]) assert.equal((await put(n, `not this ${n}`)).status, 200)
  for (const n of [2, 3, 3, 1]) {
    const shown = await json(await put(n, pieces[n - 1] ?? ''))
    assert.deepEqual([shown['id'], shown['state']], [id, 'open'])
  }
  assert.equal((await get())['bytes'], plays.length)
  assert.deepEqual(
    await parts(),
    pieces.map((piece, i) => [i + 1, piece.length]),
  )
  const { upload } = (await (await complete()).json()) as { upload: Shown }
  assert.partialDeepStrictEqual(upload, {
    name: 'plays.csv',
    state: 'complete',
    bytes: plays.length,
    joined: 'as bytes',
  })
  await assertWhole(served, id)
})

test('pieces come side by side, in forms as well, and the one that makes them all completes the upload', async () => {
  await using served = await serve()
  const { id, put, get } = await begin(served, `parts=${last}&pipeline=song-plays`)
  const form = new FormData()
  form.set('file', new Blob([pieces[1]]), 'b.csv')
  const answers = await Promise.all([put(3, pieces[2]), put(1, pieces[0]), put(2, form), put(1, pieces[0])])
  for (const { status } of answers) assert.equal(status, 200)
  await assertWhole(served, id)
  const { task } = await get()
  assert.deepEqual(await served.catalog.dueTasks(2), [task])
})

test('an upload is not closed before all its pieces are there; then as often as it is asked to, with one task', async () => {
  await using served = await serve()
  const { put, complete, get } = await begin(served, 'parts=any&pipeline=song-plays')
  await put(2, pieces[1])
  await put(5, pieces[2])
  const early = await complete()
  assert.deepEqual((await json(early.clone()))['details'], { missing: [1, 3, 4] })
  assert.equal(await refusal(early), '409 conflict')
  assert.equal((await get())['state'], 'open')
  for (const n of [1, 3, 4]) await put(n, `${pieces[0]}${n}`)
  const answers = await Promise.all([complete(), complete(), complete()])
  const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { task: Shown; duplicate: boolean }[]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [202, 202, 202],
  )
  assert.deepEqual(bodies[1], bodies[0])
  assert.deepEqual(bodies[2], bodies[0])
  assert.equal(bodies[0]?.duplicate, false)
  assert.deepEqual(await served.catalog.dueTasks(2), [bodies[0]?.task['id']])
})

test('an upload of so many pieces cannot be closed with fewer', async () => {
  await using served = await serve()
  const { put, complete, parts } = await begin(served, `parts=${last}`)
  const missing = async () => ((await json(await complete()))['details'] as Shown)['missing']
  assert.deepEqual(await missing(), [1, 2, 3])
  await put(1, pieces[0])
  await put(2, pieces[1])
  assert.deepEqual(await missing(), [3])
  assert.equal((await parts()).length, 2)
})

test('a piece beyond the count is refused, and changes nothing', async () => {
  await using served = await serve()
  const { id, put, parts } = await begin(served, `parts=${last}`)
  await put(1, pieces[0])
  await put(2, pieces[1])
  const { status } = await put(last + 1, 'one too many')
  assert.ok(status >= 400 && status < 500, `it was answered with ${status}`)
  assert.equal((await parts()).length, 2)
  assert.equal((await put(3, pieces[2])).status, 200)
  await assertWhole(served, id)
})

test('a piece whose bytes hash to something else is not taken, and the one before it stays', async () => {
  await using served = await serve()
  const { id, put, parts } = await begin(served, 'parts=any')
  const digest = (content: string) => `sha-256=:${createHash('sha256').update(content).digest('base64')}:`
  assert.equal((await put(1, pieces[0], { 'content-digest': digest(pieces[0]) })).status, 200)
  const wrong = await put(1, 'damaged', { 'content-digest': digest(pieces[0]) })
  assert.equal(await refusal(wrong), '460 checksum')
  assert.deepEqual(await parts(), [[1, third]])
  assert.equal(String(await contentOf(served, id)), pieces[0])
  assert.equal((await served.files()).length, 1)
})

test('the last piece once more is none too many; any other is', async () => {
  await using served = await serve()
  const { id, put } = await begin(served, `parts=${last}`)
  for (const [i, piece] of pieces.entries()) await put(i + 1, piece)
  for (const [i, piece] of pieces.entries()) {
    const again = await put(i + 1, piece)
    assert.deepEqual([again.status, (await json(again))['state']], [200, 'complete'])
  }
  assert.equal(await refusal(await put(3, 'something else')), '409 conflict')
  assert.equal(await refusal(await put(3, pieces[0])), '409 conflict')
  assert.equal(await refusal(await put(4, pieces[2])), '409 conflict')
  await assertWhole(served, id)
})

test('numbers and counts that are none are refused', async () => {
  await using served = await serve()
  for (const count of ['0', '-1', '1.5', '100001', 'all', '01', '0x1', '']) {
    const response = await fetch(`${served.url}/v1/uploads?parts=${count}`, { method: 'POST' })
    assert.equal(await refusal(response), '400 invalid', count)
  }
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 1 }), [])
  const { put, parts } = await begin(served, 'parts=any')
  for (const n of ['0', '-1', '1.5', '100001', '0x1', '1e1', '%201', 'first'])
    assert.equal(await refusal(await put(n, 'x')), '400 invalid', n)
  assert.deepEqual(await parts(), [])
  assert.deepEqual(await served.files(), [])
})

test('what is wrong with the file is told when it is begun', async () => {
  await using served = await serve()
  const refused = [
    ['pipeline=nope', '404 not_found'],
    ['pipeline=song-plays&param.x=1', '422 unprocessable'],
    ['param.x=1', '400 invalid'],
    ['name=', '400 invalid'],
    ['sha256=abc', '400 invalid'],
    ['whatever=1', '400 invalid'],
  ] as const
  for (const [query, told] of refused) {
    const response = await fetch(`${served.url}/v1/uploads?parts=2&${query}`, { method: 'POST' })
    assert.equal(await refusal(response), told, query)
  }
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 1 }), [])
})

test('the pieces together are held to the limit, also those that come side by side', async () => {
  await using served = await serve({ limits: { maxUpload: 1000 } })
  const { put, complete, get } = await begin(served, 'parts=any')
  assert.equal((await put(1, 'x'.repeat(600))).status, 200)
  assert.equal(await refusal(await put(2, 'x'.repeat(401))), '413 too_large')
  assert.equal((await put(1, 'y'.repeat(1000))).status, 200)
  assert.equal((await get())['bytes'], 1000)
  await Promise.all([put(1, 'x'.repeat(400)), put(2, 'y'.repeat(400)), put(3, 'z'.repeat(400))])
  const closed = await complete()
  const { state, bytes } = await get()
  if (closed.status === 201) assert.ok(state === 'complete' && Number(bytes) <= 1000)
  else assert.equal(state, 'open')
})

test('a piece whose connection breaks leaves nothing', async () => {
  await using served = await serve()
  const { id, parts } = await begin(served, 'parts=any')
  const head = `PUT /v1/uploads/${id}/parts/1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000000\r\n\r\n`
  const socket = await hold(served.port, head + 'x'.repeat(2_000_000))
  await until(async () => (await served.bytes()) > 0)
  socket.destroy()
  await until(async () => (await served.files()).length === 0)
  assert.deepEqual(await parts(), [])
})

test('what is deleted takes no more pieces, and its bytes are gone unless another has the same', async () => {
  await using served = await serve()
  const one = await begin(served, 'parts=any')
  const two = await begin(served, 'parts=any')
  for (const upload of [one, two]) for (const [i, piece] of pieces.entries()) await upload.put(i + 1, piece)
  assert.equal((await served.files()).length, 3)
  assert.equal((await fetch(`${served.url}/v1/uploads/${one.id}`, { method: 'DELETE' })).status, 204)
  assert.equal(await refusal(await one.put(1, pieces[0])), '410 gone')
  assert.equal(await refusal(await one.complete()), '410 gone')
  await two.complete()
  await assertWhole(served, two.id)
  assert.equal((await fetch(`${served.url}/v1/uploads/${two.id}`, { method: 'DELETE' })).status, 204)
  assert.deepEqual(await served.files(), [])
})

test('a piece is no stretch: an upload that comes in order takes none', async () => {
  await using served = await serve()
  const tus = tusClient(served)
  const path = await tus.begin(plays.length)
  const { status } = await fetch(`${served.url}${path}/parts/2`, { method: 'PUT', body: pieces[1] })
  assert.equal(await tus.offset(path), 0, `the piece was answered with ${status}`)
})

test('a stretch is no piece: an upload that comes in pieces takes none', async () => {
  await using served = await serve()
  const { id, parts } = await begin(served, 'parts=any')
  const { status } = await tusClient(served).patch(`/v1/uploads/${id}`, 0, pieces[0])
  assert.deepEqual(await parts(), [], `the stretch was answered with ${status}`)
})

test('a file in pieces that only repeats an earlier task is found out when it is read, and delivers nothing', async () => {
  await using folder = await temporaryFolder()
  await using service = await startService({ data: folder.at('data') })
  const whole = await fetch(`${service.url}/v1/uploads?pipeline=song-plays&wait=60`, { method: 'POST', body: plays })
  const { task: earlier } = (await whole.json()) as { task: Shown }
  const { put, get } = await begin(service, `parts=${last}&pipeline=song-plays`)
  for (const [i, piece] of pieces.entries()) await put(i + 1, piece)
  const { task } = await get()
  const ended = await json(await fetch(`${service.url}/v1/tasks/${String(task)}?wait=60`))
  assert.deepEqual([ended['state'], ended['duplicateOf'], ended['outputs']], ['cancelled', earlier['id'], []])
  const digest = createHash('sha256').update(plays).digest('hex')
  assert.equal((await get())['sha256'], digest)
})

test('pieces come to the same totals, united as rows or joined as bytes, packed or not', async () => {
  await using folder = await temporaryFolder()
  await using service = await startService({ data: folder.at('data') })
  const header = 'Song,Date,Number of Plays\n'
  const halves = ['Umbrella,2020-01-02,200\nHalo,2020-01-02,7\n', 'Umbrella,2020-01-02,50\nIf,2020-01-03,1\n'] as const
  const crlf = (text: string) => text.replaceAll('\n', '\r\n')
  const whole = header + halves[0] + halves[1]
  const packed = gzipSync(whole)
  const ways = [
    ['as rows', [header + halves[0], header + halves[1]]],
    ['as rows', [header + halves[0], '', header + halves[1]]],
    ['as rows', [header + halves[0].trimEnd(), crlf(header + halves[1])]],
    ['as rows', [gzipSync(header + halves[0]), gzipSync(crlf(header + halves[1]))]],
    ['as bytes', [header + halves[0], halves[1]]],
    ['as bytes', [whole.slice(0, 30), whole.slice(30, 60), whole.slice(60)]],
    ['as bytes', [packed.subarray(0, 20), packed.subarray(20)]],
  ] as const
  for (const [joined, bodies] of ways) {
    const { put, get } = await begin(service, `parts=${bodies.length}&pipeline=song-plays&again=true`)
    for (const [i, body] of bodies.entries()) await put(i + 1, body)
    const upload = await get()
    assert.equal(upload['joined'], joined)
    const task = `${service.url}/v1/tasks/${String(upload['task'])}`
    assert.equal((await json(await fetch(`${task}?wait=60`)))['state'], 'succeeded')
    assert.equal(
      await (await fetch(`${task}/outputs/totals`)).text(),
      'Song,Date,Total Number of Plays for Date\nHalo,2020-01-02,7\nIf,2020-01-03,1\nUmbrella,2020-01-02,250\n',
    )
  }
})

test('files of a set that have the same bytes are both read, and their task says so', async () => {
  await using folder = await temporaryFolder()
  await using service = await startService({ data: folder.at('data') })
  const send = (name: string) =>
    fetch(`${service.url}/v1/uploads?set=s&files=2&pipeline=song-plays&wait=60&name=${name}`, {
      method: 'POST',
      body: plays,
    })
  await send('one.csv')
  const { task } = (await (await send('two.csv')).json()) as { task: Shown }
  const message = '“two.csv” has the same bytes as “one.csv”, and both are for plays: their rows count twice'
  assert.deepEqual([task['state'], task['warnings']], ['succeeded', [{ code: 'same-file', message }]])
})
