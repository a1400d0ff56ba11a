import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { contentOf, hold, json, refusal, type Served, say, serve, until } from '../../test/http-fixture.ts'
import { tusClient } from '../../test/tus-fixture.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A form by hand, so that it can be told badly. */
const boundary = 'x7f'
const field = (name: string, value: string) =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const file = (content: string) =>
  `--${boundary}\r\ncontent-disposition: form-data; name="f"; filename="a.csv"\r\n\r\n${content}\r\n`
const formEnd = `--${boundary}--\r\n`

function postForm(served: Served, form: string, query = ''): Promise<Response> {
  return fetch(`${served.url}/v1/uploads${query}`, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: form,
  })
}

async function assertNothingLeft(served: Served): Promise<void> {
  assert.deepEqual(await served.files(), [])
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 10 }), [])
  assert.deepEqual(await served.catalog.listTasks('local', { limit: 10 }), [])
}

test('a plain body, a form and a PUT store the same bytes, whatever their type is said to be', async () => {
  await using served = await serve()
  const bytes = Buffer.alloc(3_000_000, plays)
  const form = new FormData()
  form.set('name', 'from the form.csv')
  form.set('whatever', new Blob([bytes]), 'file name.csv')
  const named = `${served.url}/v1/uploads?name=a.csv`
  const sent = [
    ['a.csv', fetch(named, { method: 'POST', body: bytes })],
    ['a.csv', fetch(named, { method: 'POST', body: bytes, headers: { 'content-type': 'application/json' } })],
    [
      'a.csv',
      fetch(named, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    ],
    ['a b%c.csv', fetch(`${served.url}/v1/uploads/a%20b%25c.csv`, { method: 'PUT', body: bytes })],
    ['a.csv', fetch(named, { method: 'POST', body: new Blob([bytes]).stream(), duplex: 'half' })],
    ['from the form.csv', fetch(named, { method: 'POST', body: form })],
    ['upload.csv', fetch(`${served.url}/v1/uploads/`, { method: 'POST', body: bytes })],
  ] as const
  for (const [name, request] of sent) {
    const response = await request
    const { upload } = (await response.json()) as { upload: Record<string, unknown> }
    const id = String(upload['id'])
    const shown = [upload['name'], upload['state'], upload['bytes'], upload['sha256']]
    assert.equal(response.status, 201)
    assert.deepEqual(shown, [name, 'complete', bytes.length, sha256(bytes)])
    assert.equal(response.headers.get('location'), `/v1/uploads/${id}`)
    assert.deepEqual(await json(await fetch(served.url + (response.headers.get('location') ?? ''))), upload)
    const [part] = await served.catalog.parts(id)
    assert.equal(await text(await served.blobs.read(part?.blob ?? '')), bytes.toString())
  }
})

test('bytes that came before are kept once, in the copy that came last, for as long as one upload has them', async () => {
  await using served = await serve()
  const send = async () => {
    const response = await fetch(`${served.url}/v1/uploads?name=a.csv`, { method: 'POST', body: plays })
    const { upload } = (await response.json()) as { upload: { readonly id: string } }
    const [part] = await served.catalog.parts(upload.id)
    return { id: upload.id, blob: part?.blob ?? '' }
  }
  const sent = [await send(), await send(), await send()]
  assert.equal(new Set(sent.map(({ blob }) => blob)).size, 3)
  for (const { id } of sent) {
    assert.equal((await served.files()).length, 1)
    assert.deepEqual((await served.catalog.parts(id))[0]?.blob, sent[2]?.blob)
    assert.equal((await contentOf(served, id)).toString(), plays)
    assert.equal((await fetch(`${served.url}/v1/uploads/${id}`, { method: 'DELETE' })).status, 204)
  }
  assert.deepEqual(await served.files(), [])
})

test('an empty body is an upload of 0 bytes', async () => {
  await using served = await serve()
  const response = await fetch(`${served.url}/v1/uploads?name=empty.csv`, { method: 'POST' })
  const { upload } = (await response.json()) as { upload: Record<string, unknown> }
  assert.deepEqual([response.status, upload['bytes'], upload['sha256']], [201, 0, sha256('')])
})

test('with a pipeline the upload and its task come into being together', async () => {
  await using served = await serve()
  const response = await postForm(served, field('pipeline', 'song-plays') + file(plays) + formEnd, '?pipeline=nope')
  const { upload, task } = (await response.json()) as Record<'upload' | 'task', Record<string, unknown>>
  assert.equal(response.status, 202)
  assert.equal(response.headers.get('location'), `/v1/tasks/${String(task['id'])}`)
  assert.equal(task['state'], 'queued')
  assert.deepEqual(task['inputs'], [{ input: 'plays', upload: upload['id'], name: 'a.csv' }])
  assert.deepEqual(await served.catalog.dueTasks(10), [task['id']])
})

test('what can be refused is refused before the body has come', async () => {
  await using served = await serve({ limits: { maxUpload: 1000 } })
  const queries = [
    ['pipeline=nope', 404],
    ['pipeline=song-plays&param.x=1', 422],
    ['param.x=1', 400],
    ['pipelin=song-plays', 400],
    ['name=a&name=b', 400],
    [`name=${'a'.repeat(256)}`, 400],
    ['name=', 400],
    ['name=a%0Ab', 400],
    ['wait=61', 400],
    ['name=a.csv', 413],
  ] as const
  for (const [query, status] of queries) {
    const head = `POST /v1/uploads?${query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 1001\r\n\r\n`
    assert.match(await say(served.port, head), new RegExp(`^HTTP/1.1 ${status} [^]*application/problem\\+json`), query)
  }
  await assertNothingLeft(served)
})

test('who is refused may send on, reads the answer, and the connection lives', async () => {
  await using served = await serve({ limits: { maxUpload: 1000 } })
  const content = 'x'.repeat(5_000_000)
  const chunked = `transfer-encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`
  const form = (fields: string) => {
    const body = fields + file(content) + formEnd
    return `content-type: multipart/form-data; boundary=${boundary}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  }
  const refused = [
    ['?pipeline=nope', chunked, 404],
    ['', chunked, 413],
    ['', form(''), 413],
    ['', form(field('pipeline', 'nope')), 404],
  ] as const
  const next = 'GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
  for (const [query, rest, status] of refused) {
    const answers = await say(served.port, `POST /v1/uploads${query} HTTP/1.1\r\nhost: localhost\r\n${rest}${next}`)
    assert.deepEqual(answers.match(/(?<=HTTP\/1\.1 )\d+/g), [String(status), '200'])
  }
  await assertNothingLeft(served)
})

test('what comes in one request is that request’s alone until it ends, and whole then', async () => {
  await using served = await serve()
  const body = 'a,b\n1,2\n'
  const head = `PUT /v1/uploads/slow.csv HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`
  await using slow = await hold(served.port, head + body.slice(0, 4))
  const open = async () => (await served.catalog.listUploads('local', { limit: 1 }))[0]
  await until(async () => (await open()) !== undefined)
  const path = `/v1/uploads/${(await open())?.id}`
  const { patch, send } = tusClient(served)
  for (const refused of [
    await patch(path, 0, body),
    await fetch(`${served.url}${path}/parts/1`, { method: 'PUT', body }),
    await fetch(`${served.url}${path}/complete`, { method: 'POST' }),
  ]) {
    assert.equal(await refusal(refused), '409 conflict')
  }
  assert.equal((await send('HEAD', path)).status, 409)
  slow.write(body.slice(4))
  await until(async () => (await open())?.state === 'complete')
  assert.equal(String(await contentOf(served, (await open())?.id ?? '')), body)
})

test('a part of a file is not taken for all of it', async () => {
  await using served = await serve()
  const headers = { 'content-range': 'bytes 4-7/8' }
  const refused = await fetch(`${served.url}/v1/uploads/tail.csv`, { method: 'PUT', body: '1,2\n', headers })
  assert.equal(await refusal(refused), '400 invalid')
  assert.deepEqual(await served.files(), [])
})

test('a client that goes away in the middle leaves nothing', async () => {
  await using served = await serve()
  const type = `content-type: multipart/form-data; boundary=${boundary}\r\n`
  const broken = [
    `content-length: 1000\r\n\r\n${plays}`,
    `transfer-encoding: chunked\r\n\r\n5\r\nSong,\r\n`,
    `${type}content-length: 1000\r\n\r\n${file(plays)}`,
  ]
  for (const rest of broken) {
    const head = 'POST /v1/uploads?pipeline=song-plays HTTP/1.1\r\nhost: localhost\r\n'
    const socket = await hold(
      served.port,
      (rest.startsWith(type) ? head.replace('?pipeline=song-plays', '') : head) + rest,
    )
    await until(async () => (await served.files()).length === 1)
    socket.destroy()
    await until(async () => (await served.files()).length === 0)
    await until(async () => (await served.catalog.listUploads('local', { limit: 1 })).length === 0)
  }
  await assertNothingLeft(served)

  const head = 'POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n'
  assert.match(await say(served.port, `${head}5\r\nSong,\r\nno chunk`), /^HTTP\/1.1 400 /)
  await until(async () => (await served.files()).length === 0)
})

test('a form that is cut off, has no file, or goes on after it is refused and leaves nothing', async () => {
  await using served = await serve()
  const bad = [
    file(plays),
    file(plays).slice(0, -20),
    `--${boundary}\r\ncontent-disposition: form-data; name="f"; filename="a.csv"`,
    field('name', 'x') + formEnd,
    '',
    'no form at all',
    file(plays) + field('pipeline', 'song-plays') + formEnd,
    file(plays) + file(plays) + formEnd,
    field('name', 'x'.repeat(70_000)) + file(plays) + formEnd,
    field('owner', 'someone') + file(plays) + formEnd,
    field('wait', '1') + file(plays) + formEnd,
    field('__proto__', 'x') + file(plays) + formEnd,
    field('param.__proto__', 'x') + file(plays) + formEnd,
  ]
  for (const form of bad) {
    const response = await postForm(served, form)
    const problem = await json(response)
    assert.deepEqual([response.status, problem['code']], [400, 'invalid'], form.slice(0, 300))
  }
  const many = field('param.x', 'y').repeat(200) + file(plays) + formEnd
  assert.equal((await postForm(served, many)).status, 413)
  await assertNothingLeft(served)
})

test('what is larger than allowed is refused, and nothing of it stays', async () => {
  await using served = await serve({ limits: { maxUpload: 100_000 } })
  const url = `${served.url}/v1/uploads`
  const body = 'x'.repeat(100_001)
  const stream = () => new Blob([body]).stream()
  assert.equal((await fetch(url, { method: 'POST', body })).status, 413)
  assert.equal((await fetch(url, { method: 'POST', body: stream(), duplex: 'half' })).status, 413)
  assert.equal((await postForm(served, file(body) + formEnd)).status, 413)
  await assertNothingLeft(served)
  assert.equal((await fetch(url, { method: 'POST', body: body.slice(1) })).status, 201)
})

test('below the disk reserve nothing comes in, and the rest goes on', async () => {
  await using served = await serve({ limits: { diskReserve: Number.MAX_SAFE_INTEGER } })
  const response = await fetch(`${served.url}/v1/uploads`, { method: 'POST', body: plays })
  assert.deepEqual([response.status, (await json(response))['code']], [507, 'full'])
  await assertNothingLeft(served)
  assert.equal((await fetch(`${served.url}/v1/uploads`)).status, 200)
})

test('a body that a client calls compressed on its way is taken as it is, where it can be read so', async () => {
  await using served = await serve()
  const send = (encoding: string) =>
    fetch(`${served.url}/v1/uploads`, {
      method: 'POST',
      body: gzipSync(plays),
      headers: { 'content-encoding': encoding },
    })
  assert.equal((await send('br')).status, 415)
  const { upload } = (await (await send('gzip')).json()) as { upload: { bytes: number } }
  assert.equal(upload.bytes, gzipSync(plays).length)
})

test('names are kept as they were given', async () => {
  await using served = await serve()
  for (const name of ['../../etc/passwd', 'a\\b', '*?[k=v', 'ünï\u0308\u202Ecöde', '%2f', 'ä'.repeat(255)]) {
    const response = await fetch(`${served.url}/v1/uploads/${encodeURIComponent(name)}`, { method: 'PUT', body: plays })
    assert.equal(((await response.json()) as { upload: { name: string } }).upload.name, name)
  }
})

test('uploads are listed page by page, and deleted unless a task needs them', async () => {
  await using served = await serve()
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    const response = await fetch(`${served.url}/v1/uploads?name=${i}`, { method: 'POST', body: `${plays}${i}` })
    ids.push(((await response.json()) as { upload: { id: string } }).upload.id)
  }
  const seen: string[] = []
  for (let next: string | null = '/v1/uploads?limit=2'; next !== null; ) {
    const page = (await (await fetch(served.url + next)).json()) as { uploads: { id: string }[]; next: string | null }
    seen.push(...page.uploads.map(({ id }) => id))
    next = page.next
  }
  ids.sort()
  assert.deepEqual(seen, ids.toReversed())

  const url = `${served.url}/v1/uploads/${ids[0]}`
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 204)
  assert.equal((await json(await fetch(url)))['state'], 'deleted')
  assert.equal((await served.files()).length, 2)

  const body = JSON.stringify({ pipeline: 'song-plays', inputs: [{ upload: ids[1] }] })
  const headers = { 'content-type': 'application/json' }
  assert.equal((await fetch(`${served.url}/v1/tasks`, { method: 'POST', body, headers })).status, 202)
  const refused = await fetch(`${served.url}/v1/uploads/${ids[1]}`, { method: 'DELETE' })
  assert.equal(refused.status, 409)
  assert.equal((await served.files()).length, 2)
})
