/** A quota against whoever sends much at once and says little of it, or what is not so. */
import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { after, before, beforeEach, suite, test } from 'node:test'
import type { UploadAnswer } from '../../src/cli/client.ts'
import { filesIn, type Folder, json, type Service, startService, temporaryFolder, until } from '../harness.ts'
import { assertNoFault } from './left.ts'
import { assertProblem, firstAnswer, tell } from './raw.ts'

const quota = 1_000_000
/** Five of them have room, if nothing is lost by the way. */
const fileBytes = 200_000
const count = 20

/** No two of them are the same, lest they be stored once. */
const fileOf = (i: number) => Buffer.alloc(fileBytes, `${i},some text\n`)

/** As a stream: nobody knows how long it is. */
const unknown = (bytes: Buffer) => ({ body: new Blob([bytes]).stream(), duplex: 'half' as const })

let folder: Folder
let service: Service
before(async () => {
  folder = await temporaryFolder()
  service = await startService({ data: folder.at('data'), env: { ROWMILL_OWNER_QUOTA: '1MB' } })
})
after(async () => {
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function uploads(): Promise<UploadAnswer[]> {
  const { uploads: found } = await json<{ uploads: UploadAnswer[] }>(await fetch(`${service.url}/v1/uploads?limit=200`))
  return found
}

/** The status of what was sent; a refusal says that it is too much. */
async function statusOf(response: Response): Promise<number> {
  const body = await response.text()
  if (!response.ok) {
    assert.equal(response.status, 413, body)
    assertProblem({ status: response.status, headers: response.headers, body })
  }
  return response.status
}

function post(path: string, init: RequestInit): Promise<Response> {
  return fetch(service.url + path, { method: 'POST', ...init })
}

async function begin(query: string): Promise<string> {
  const { upload } = await json<{ upload: UploadAnswer }>(await post(`/v1/uploads?${query}`, {}))
  return upload.id
}

const tus = { 'tus-resumable': '1.0.0' }
const stretch = { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }

/** What is announced, and then what comes. */
async function byTus(i: number, told: number): Promise<number> {
  const begun = await post('/v1/uploads', { headers: { ...tus, 'upload-length': String(told) } })
  if (!begun.ok) return await statusOf(begun)
  await begun.text()
  const lines = Object.entries({ ...stretch, host: 'localhost', 'content-length': fileBytes })
  const head = `PATCH ${begun.headers.get('location')} HTTP/1.1\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}\r\n`
  const answer = await firstAnswer(service, Buffer.concat([Buffer.from(head), fileOf(i)]))
  assert.ok(answer !== undefined && [204, 413].includes(answer.status), answer?.body)
  return answer.status
}

async function asPiece(i: number, id: string, n: number): Promise<number> {
  return await statusOf(await post(`/v1/uploads/${id}/parts/${n}`, { method: 'PUT', ...unknown(fileOf(i)) }))
}

/** A form tells the length of all of it at most, and not of its file. */
async function byForm(i: number): Promise<number> {
  const body = new FormData()
  body.set('file', new Blob([fileOf(i)]), `${i}.csv`)
  return await statusOf(await post('/v1/uploads', { body }))
}

/** More is told than comes before the connection ends, or less: then the rest is no request. */
async function lying(i: number, told: number): Promise<number> {
  const head = `POST /v1/uploads?name=${i} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${told}\r\n\r\n`
  const [answer] = await tell(service, Buffer.concat([Buffer.from(head), fileOf(i)]), { end: true })
  assert.ok(answer === undefined || [201, 400, 413].includes(answer.status), answer?.body)
  return answer?.status ?? 400
}

type Send = (i: number) => Promise<number>

/** How many are sure to be taken, of as many as are sent at once: whose room is told before it is taken, all that fit. */
const ways: Readonly<Record<string, { readonly send: Send; readonly least: number }>> = {
  'whose length is told': {
    send: async (i) => await statusOf(await post(`/v1/uploads?name=${i}`, { body: fileOf(i) })),
    least: 5,
  },
  'whose length nobody knows': {
    send: async (i) => await statusOf(await post(`/v1/uploads?name=${i}`, unknown(fileOf(i)))),
    least: 5,
  },
  'in forms': { send: byForm, least: 5 },
  'that are longer than told': { send: (i) => lying(i, 10), least: 0 },
  'that are shorter than told': { send: (i) => lying(i, fileBytes + 1), least: 0 },
  'by tus': { send: (i) => byTus(i, fileBytes), least: 5 },
  'by tus, longer than told': { send: (i) => byTus(i, 10), least: 0 },
  'by tus, shorter than told': { send: (i) => byTus(i, fileBytes * 2), least: 2 },
  'in pieces of their own': { send: async (i) => await asPiece(i, await begin('parts=any'), 1), least: 5 },
}

suite('of twenty that come at once, no more is stored than the quota allows', () => {
  beforeEach(async () => {
    for (const { id } of await uploads()) await fetch(`${service.url}/v1/uploads/${id}`, { method: 'DELETE' })
  })

  async function sendAll(send: Send): Promise<number[]> {
    const statuses = await Promise.all(Array.from({ length: count }, (_, i) => send(i)))
    await assertWithin()
    return statuses.filter((status) => status < 300)
  }

  for (const [how, { send, least }] of Object.entries(ways)) {
    test(`files ${how}`, async () => {
      const taken = await sendAll(send)
      assert.ok(taken.length >= least, `only ${taken.length} were taken, and there is room for ${least}`)
    })
  }

  test('pieces of one file', async () => {
    const id = await begin('parts=any')
    assert.equal((await sendAll((i) => asPiece(i, id, i + 1))).length, 5)
    // In the place of another there is room.
    assert.equal(await asPiece(99, id, await anyPiece(id)), 200)
    await assertWithin()
  })

  test('files in all these ways', async () => {
    const all = Object.values(ways)
    await sendAll((i) => (all[i % all.length] ?? assert.fail()).send(i))
  })

  test('and all of it is free again when they are deleted', async () => {
    assert.equal((await post('/v1/uploads', { body: Buffer.alloc(quota, 'a,b\n') })).status, 201)
    assert.equal((await post('/v1/uploads', { body: 'a' })).status, 413)
    assertNoFault(service)
  })
})

async function anyPiece(id: string): Promise<number> {
  const { parts } = await json<{ parts: { n: number }[] }>(await fetch(`${service.url}/v1/uploads/${id}/parts`))
  return parts[0]?.n ?? assert.fail('no piece is there')
}

/** By what the uploads say, with what is reserved for them; and by the disk. */
async function assertWithin(): Promise<void> {
  const found = await uploads()
  const taken = found.map(({ comes, state, bytes, size }) =>
    state === 'open' && comes !== 'at once' ? Math.max(bytes, size ?? 0) : bytes,
  )
  assert.ok(sumOf(taken) <= quota, `${sumOf(taken)} bytes are taken by uploads`)
  await until('what was refused is removed', async () => {
    const stored = await filesIn(folder.at('data', 'blobs'))
    const sizes = await Promise.all(stored.map((name) => sizeOf(folder.at('data', 'blobs', name))))
    return sumOf(sizes) <= quota
  })
}

const sumOf = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0)

/** Nothing, when it is gone meanwhile. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}
