/** Requests that are sent again under one Idempotency-Key. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import {
  contentOf,
  hold,
  insertTask,
  json,
  post,
  refusal,
  type Served,
  serve,
  succeed,
  until,
} from '../../test/http-fixture.ts'
import { metadataOf, tusClient } from '../../test/tus-fixture.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const page = { limit: 100 }

/** A POST under a key. */
const send = (
  { url }: Pick<Served, 'url'>,
  key: string,
  body: string | FormData = plays,
  query = 'pipeline=song-plays',
) => fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body, headers: { 'idempotency-key': key } })

/** All that there is of everything. */
async function counts({ catalog }: Served): Promise<number[]> {
  const found = [catalog.listUploads('local', page), catalog.listTasks('local', page), catalog.listSets('local', page)]
  return (await Promise.all(found)).map(({ length }) => length)
}

test('of fifty that come at once with one key, one is taken, and the others are told so', async () => {
  await using served = await serve()
  const body = plays + 'Halo,2020-01-02,7\n'.repeat(10_000)
  const answers = await Promise.all(Array.from({ length: 50 }, () => send(served, 'fifty', body)))
  const taken = answers.filter(({ status }) => status === 202)
  const told = await Promise.all(taken.map(json))
  assert.ok(taken.length > 0)
  for (const other of told) assert.deepEqual(other, told[0])
  for (const answer of answers.filter((one) => !taken.includes(one))) {
    assert.equal(await refusal(answer), '409 conflict')
  }
  assert.deepEqual(await counts(served), [1, 1, 0])
  assert.equal((await served.files()).length, 1)
  const again = await send(served, 'fifty', body)
  assert.deepEqual([again.status, await json(again)], [202, told[0]])
})

test('the same key with another request is refused, and changes nothing', async () => {
  await using served = await serve()
  assert.equal((await send(served, 'k')).status, 202)
  const others = [
    send(served, 'k', `${plays}Halo,2020-01-02,7\n`),
    send(served, 'k', ''),
    send(served, 'k', plays, 'pipeline=profile'),
    send(served, 'k', plays, 'pipeline=song-plays&again=true'),
    send(served, 'k', plays, 'pipeline=song-plays&name=other.csv'),
    send(served, 'k', plays, ''),
    send(served, 'k', '', 'parts=2&pipeline=song-plays'),
    fetch(`${served.url}/api/upload`, { method: 'POST', headers: { 'idempotency-key': 'k' } }),
  ]
  for (const [i, other] of others.entries())
    assert.equal(await refusal(await other), '422 unprocessable', `the ${i + 1}th`)
  assert.deepEqual(await counts(served), [1, 1, 0])
  assert.equal((await served.files()).length, 1)
})

test('the same bytes are the same request, however they are framed and in whatever order the query is', async () => {
  await using served = await serve()
  const first = await json(await send(served, 'k', plays, 'pipeline=song-plays&name=a.csv'))
  assert.deepEqual(await json(await send(served, 'k', plays, 'name=a.csv&pipeline=song-plays')), first)
  const chunked = await fetch(`${served.url}/v1/uploads?pipeline=song-plays&name=a.csv`, {
    method: 'POST',
    body: new Blob([plays]).stream(),
    duplex: 'half',
    headers: { 'idempotency-key': 'k' },
  })
  assert.deepEqual(await json(chunked), first)
})

test('a request that fails lets its key go', async () => {
  await using served = await serve()
  assert.equal(await refusal(await send(served, 'k', plays, 'pipeline=nope')), '404 not_found')
  assert.equal(await refusal(await send(served, 'k', '%PDF-1.7')), '422 rejected')
  const socket = await hold(
    served.port,
    'POST /v1/uploads?pipeline=song-plays HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-length: 5000000\r\n\r\n' +
      plays.repeat(20_000),
  )
  await until(async () => (await served.bytes()) > 0)
  assert.equal(await refusal(await send(served, 'k')), '409 conflict')
  socket.destroy()
  await until(async () => (await send(served, 'k')).status === 202)
  assert.deepEqual(await counts(served), [1, 1, 0])
})

test('whoever asks while the first is still sending is told to ask later; the first is answered as ever', async () => {
  await using served = await serve()
  const body = plays.repeat(40_000)
  const socket = await hold(
    served.port,
    `POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: k\r\ncontent-length: ${body.length}\r\n\r\n` +
      body.slice(0, 1_000_000),
  )
  await until(async () => (await served.bytes()) > 0)
  assert.equal(await refusal(await send(served, 'k', body, '')), '409 conflict')
  socket.write(body.slice(1_000_000))
  assert.match(await text(socket), /^HTTP\/1\.1 201 /)
  assert.equal((await send(served, 'k', body, '')).status, 201)
  assert.deepEqual(await counts(served), [1, 0, 0])
})

test('every door that creates something takes a key, in quotes or bare', async () => {
  await using served = await serve()
  const { url, catalog } = served
  const created = await insertTask(served)
  await succeed(served, created.id, [{ name: 'rows', to: 'db', table: 't', mode: 'append', rows: 1, undoable: true }])
  const stored = await json(await fetch(`${url}/v1/uploads`, { method: 'POST', body: plays }))
  const upload = (stored['upload'] as { id: string }).id
  const folder = (await json(await fetch(`${url}/api/upload`, { method: 'POST' })))['folder_name']
  const form = () => {
    const fields = new FormData()
    fields.set('file', new Blob([plays]), 'form.csv')
    return fields
  }
  const fixed = `_line,Song,Date,Number of Plays\n3,Halo,2020-01-02,7\n`
  const asked = { pipeline: 'song-plays', inputs: [{ upload }], again: true }
  const tus = { 'tus-resumable': '1.0.0', 'upload-length': '9', 'upload-metadata': metadataOf({ filename: 'a.csv' }) }
  const at = (path: string, method: string, body?: string | FormData, headers: Record<string, string> = {}) => {
    return (key: string) =>
      fetch(url + path, {
        method,
        headers: { 'idempotency-key': key, ...headers },
        ...(body !== undefined && { body }),
      })
  }
  const doors: Readonly<Record<string, (key: string) => Promise<Response>>> = {
    'a body': at('/v1/uploads?pipeline=song-plays&again=true', 'POST', plays),
    'a body by PUT': at('/v1/uploads/put.csv', 'PUT', plays),
    'a form': (key) => at('/v1/uploads', 'POST', form())(key),
    'a file of a set': at('/v1/uploads?set=s', 'POST', plays),
    'an upload for tus': at('/v1/uploads', 'POST', undefined, tus),
    'an upload in pieces': at('/v1/uploads?parts=3', 'POST'),
    'a folder': at('/api/upload', 'POST'),
    'a folder that is one file': at('/api/upload?total=2', 'POST'),
    'a piece of a folder': (key) => at(`/api/upload/${String(folder)}`, 'POST', form())(key),
    'a file for the processor of old': at('/v1/data_processor/upload', 'POST', `${plays}Halo,2020-01-03,1\n`),
    'a task': (key) => post(`${url}/v1/tasks`, asked, { 'idempotency-key': key }),
    'a task once more': at(`/v1/tasks/${created.id}/retry`, 'POST'),
    'an undoing': at(`/v1/tasks/${created.id}/undo`, 'POST'),
    'a correction': at(`/v1/tasks/${created.id}/corrections`, 'POST', fixed),
  }
  for (const [what, ask] of Object.entries(doors)) {
    const first = await ask(what.replaceAll(' ', '-'))
    assert.ok([200, 201, 202].includes(first.status), `${what}: ${await first.clone().text()}`)
    const after = await counts(served)
    const second = await ask(`"${what.replaceAll(' ', '-')}"`)
    const seen = async (response: Response) => [response.status, response.headers.get('location'), await json(response)]
    assert.deepEqual(await seen(second), await seen(first), what)
    assert.deepEqual(await counts(served), after, what)
  }
  assert.deepEqual(await catalog.checkIntegrity(), [])
})

test('an answer that has told of an earlier task tells of it again', async () => {
  await using served = await serve()
  const first = await json(await send(served, 'one'))
  const told = await json(await send(served, 'two'))
  assert.deepEqual(
    [told['duplicate'], (told['task'] as { id: string }).id],
    [true, (first['task'] as { id: string }).id],
  )
  assert.deepEqual(await json(await send(served, 'two')), told)
  const { id } = told['upload'] as { id: string }
  const ask = () =>
    post(`${served.url}/v1/tasks`, { pipeline: 'song-plays', inputs: [{ upload: id }] }, { 'idempotency-key': 'three' })
  const submitted = await json(await ask())
  assert.equal(submitted['duplicate'], true)
  assert.deepEqual(await json(await ask()), submitted)
})

test('an answer is told again only to the bytes that are told', async () => {
  await using served = await serve()
  const ask = (headers: Record<string, string>, query = '') =>
    fetch(`${served.url}/v1/uploads${query}`, {
      method: 'POST',
      body: plays,
      headers: { 'idempotency-key': 'told', ...headers },
    })
  assert.equal((await ask({})).status, 201)
  const wrong = createHash('sha256').update('other').digest()
  assert.equal(await refusal(await ask({ 'content-digest': `sha-256=:${wrong.toString('base64')}:` })), '460 checksum')
  assert.equal(await refusal(await ask({}, `?sha256=${wrong.toString('hex')}`)), '460 checksum')
})

test('what is no key is refused before anything is done', async () => {
  await using served = await serve()
  for (const key of ['', 'a b', '"a b"', 'k'.repeat(256), `"${'k'.repeat(256)}"`, 'schlüssel', '""']) {
    assert.equal(await refusal(await send(served, key)), '400 invalid', key)
    assert.equal(
      await refusal(await fetch(`${served.url}/api/upload`, { method: 'POST', headers: { 'idempotency-key': key } })),
      '400 invalid',
      key,
    )
  }
  assert.deepEqual(await counts(served), [0, 0, 0])
  for (const key of ['k', '"k"', 'k'.repeat(255), '8e03978e-40d5-43dd-bc93-6894a57f9324']) {
    assert.equal((await send(served, key)).status, 202, key)
  }
})

test('a key is free again when its holder has died, and when its time is over', async () => {
  const hash = (key: string) => createHash('sha256').update(JSON.stringify(key)).digest('hex')
  await using served = await serve()
  const take = (key: string, forMs: number) =>
    served.catalog.holdKey({ owner: 'local', key: hash(key), holder: 'another' }, forMs)
  assert.equal(await take('alive', 60_000), 'held')
  assert.equal(await take('dead', -1000), 'held')
  assert.equal(await refusal(await send(served, 'alive')), '409 conflict')
  assert.equal((await send(served, 'dead')).status, 202)

  await using forgetful = await serve({ keeping: { receiptsMs: -1000 } })
  assert.equal((await send(forgetful, 'k')).status, 202)
  assert.equal((await send(forgetful, 'k', `${plays}Halo,2020-01-02,7\n`)).status, 202)
})

test('a creation by tus that failed or broke off goes on under its key', async () => {
  await using served = await serve()
  const { create, offset, patch } = tusClient(served)
  const headers = { 'idempotency-key': 'k' }
  const wrong = { ...headers, 'upload-checksum': `sha1 ${Buffer.alloc(20).toString('base64')}` }
  assert.equal(await refusal(await create(plays.length, wrong, plays)), '460 checksum')
  const half = await hold(
    served.port,
    `POST /v1/uploads HTTP/1.1\r\nhost: x\r\ntus-resumable: 1.0.0\r\nupload-length: ${plays.length}\r\nidempotency-key: k\r\n` +
      `content-type: application/offset+octet-stream\r\ncontent-length: ${plays.length}\r\n\r\n${plays.slice(0, 10)}`,
  )
  const id = (await served.catalog.listUploads('local', { limit: 2 }))[0]?.id ?? ''
  const again = await create(plays.length, headers, plays)
  half.destroy()
  const path = again.headers.get('location') ?? ''
  assert.deepEqual([again.status, path], [201, `/v1/uploads/${id}`])
  const at = await offset(path)
  assert.equal(String(at), again.headers.get('upload-offset'))
  if (at < plays.length) assert.equal((await patch(path, at, plays.slice(at))).status, 204)
  assert.equal(String(await contentOf(served, id)), plays)
  assert.equal((await served.catalog.listUploads('local', { limit: 2 })).length, 1)
})

test('what has come of a key is told as gone when it was deleted', async () => {
  await using served = await serve()
  const { upload } = (await json(await send(served, 'k', plays, ''))) as { upload: { id: string } }
  await fetch(`${served.url}/v1/uploads/${upload.id}`, { method: 'DELETE' })
  assert.equal(await refusal(await send(served, 'k', plays, '')), '410 gone')
})
