import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { contentOf, json, refusal, type Served, say, serve } from '../../test/http-fixture.ts'
import { tusClient } from '../../test/tus-fixture.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'

const digest = (content: string, algorithm = 'sha256') => createHash(algorithm).update(content).digest('base64')
const right = `sha-256=:${digest(plays)}:`
const wrong = `sha-256=:${digest('something else')}:`
const fields = ['content-digest', 'repr-digest'] as const

type Headers = Readonly<Record<string, string>>

const post = ({ url }: Served, headers: Headers) =>
  fetch(`${url}/v1/uploads`, { method: 'POST', body: plays, headers: { ...headers } })

/** The status that is said to a body with fields behind it. */
async function statusBehind({ port }: Served, target: string, trailers: Headers): Promise<number> {
  const behind = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`)
  const answer = await say(
    port,
    `${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n` +
      `trailer: content-digest, repr-digest\r\n\r\n` +
      `${plays.length.toString(16)}\r\n${plays}\r\n0\r\n${behind.join('')}\r\n`,
  )
  return Number(answer.slice(9, 12))
}

async function assertNothingLeft(served: Served): Promise<void> {
  assert.deepEqual(await served.files(), [])
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 10 }), [])
}

test('a body that hashes to what is told before it or behind it is taken', async () => {
  await using served = await serve()
  for (const field of fields) {
    assert.equal((await post(served, { [field]: right })).status, 201)
    assert.equal((await post(served, { [field]: `md5=:${digest(plays, 'md5')}:, ${right}` })).status, 201)
    assert.equal(await statusBehind(served, 'POST /v1/uploads', { [field]: right }), 201)
  }
  assert.equal((await post(served, { 'content-digest': right, 'repr-digest': right })).status, 201)
})

test('a body that hashes to something else is refused, and nothing of it stays', async () => {
  await using served = await serve()
  for (const field of fields) {
    assert.equal(await refusal(await post(served, { [field]: wrong })), '460 checksum')
    assert.equal(await statusBehind(served, 'POST /v1/uploads', { [field]: wrong }), 460)
    assert.equal(await statusBehind(served, 'PUT /v1/uploads/a.csv', { [field]: wrong }), 460)
  }
  assert.equal(await refusal(await post(served, { 'content-digest': right, 'repr-digest': wrong })), '460 checksum')
  assert.equal(await refusal(await post(served, { 'content-digest': `${right}, ${wrong}` })), '460 checksum')
  await assertNothingLeft(served)
})

test('what is no digest is refused; a digest of another kind does not count', async () => {
  await using served = await serve()
  const malformed = [
    'sha-256',
    `sha-256=${digest(plays)}`,
    'sha-256=::',
    'sha-256=:AAAA:',
    `SHA-256=:${digest(plays)}:`,
    `sha-256=:${digest(plays)}`,
    'md5=:no base64!:',
    `${right};`,
    'x',
  ]
  for (const field of fields) {
    for (const value of malformed) {
      assert.equal(await refusal(await post(served, { [field]: value })), '400 invalid', value)
      assert.equal(await statusBehind(served, 'POST /v1/uploads', { [field]: value }), 400, value)
    }
  }
  await assertNothingLeft(served)
  for (const value of [`md5=:${digest('else', 'md5')}:`, `sha-512=:${digest('else', 'sha512')}:`, 'unixsum=:AAAA:']) {
    assert.equal((await post(served, { 'content-digest': value })).status, 201, value)
  }
})

test('a SHA-256 of the whole file is looked at, wherever it is told', async () => {
  await using served = await serve()
  const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')
  const send = (hash: string) => fetch(`${served.url}/v1/uploads?sha256=${hash}`, { method: 'POST', body: plays })
  assert.equal(await refusal(await send(sha256('else'))), '460 checksum')
  assert.equal(await refusal(await send('abc')), '400 invalid')
  await assertNothingLeft(served)
  assert.equal((await send(sha256(plays).toUpperCase())).status, 201)
})

test('a piece that hashes to something else than is told, before it or behind it, is not taken', async () => {
  await using served = await serve()
  const begun = await fetch(`${served.url}/v1/uploads?parts=any`, { method: 'POST' })
  const { id } = ((await begun.json()) as { upload: { id: string } }).upload
  const path = `/v1/uploads/${id}/parts/1`
  const put = (headers: Headers) => fetch(served.url + path, { method: 'PUT', body: plays, headers: { ...headers } })
  assert.equal(await refusal(await put({ 'content-digest': 'sha-256' })), '400 invalid')
  for (const field of fields) {
    assert.equal(await refusal(await put({ [field]: wrong })), '460 checksum')
    assert.equal(await statusBehind(served, `PUT ${path}`, { [field]: wrong }), 460, `${field} behind it`)
  }
  assert.equal(await refusal(await put({ 'content-digest': right, 'repr-digest': wrong })), '460 checksum')
  assert.deepEqual(await json(await fetch(`${served.url}/v1/uploads/${id}/parts`)), { parts: [] })
  assert.deepEqual(await served.files(), [])
  assert.equal((await put({ 'content-digest': right, 'repr-digest': right })).status, 200)
  assert.equal(await statusBehind(served, `PUT ${path}`, { 'repr-digest': right }), 200)
  assert.equal(String(await contentOf(served, id)), plays)
})

test('tus has a checksum of its own, and no other is passed over', async () => {
  await using served = await serve()
  const { begin, create, offset, patch } = tusClient(served)
  const path = await begin(plays.length)
  for (const field of fields) {
    assert.equal(await refusal(await patch(path, 0, plays, { [field]: right })), '400 invalid')
    assert.equal(await refusal(await create(plays.length, { [field]: right }, plays)), '400 invalid')
  }
  assert.equal(await offset(path), 0)
})
