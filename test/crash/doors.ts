/**
 * Uploads in flight through all doors, while the service is killed again and again. What was acknowledged must be there byte
 * for byte, what was not goes on where it was acknowledged, and each file has one upload and one task in the end.
 */
import assert from 'node:assert/strict'
import { createHash, randomInt, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checker.ts'
import { type Env, type Folder, type Service, startService, until } from '../harness.ts'

/** A file that is to come in. */
interface Sent {
  readonly name: string
  readonly content: Buffer
}

/** A way in: sends the file, however often the service dies meanwhile, and answers with the upload's id. */
type Door = (house: House, file: Sent) => Promise<string>

/** The service, as those see it who must live with its deaths. */
interface House {
  /** The answer; undefined when there is none. */
  readonly once: (path: string, init: RequestInit) => Promise<Response | undefined>
  /** Asks until there is an answer. */
  readonly ask: (path: string, init: () => RequestInit) => Promise<Response>
}

export interface Storm {
  readonly kills: number
  /** How many of them have interrupted a request. */
  readonly hits: number
  readonly files: number
}

const clients = 8
const pieceBytes = 200_000
const query = (name: string) => `name=${name}&pipeline=song-plays`

/** Kills a service that is being sent to, so many times. */
export async function killWhileSending(folder: Folder, kills: number): Promise<Storm> {
  const data = folder.at('data')
  const env: Env = { ROWMILL_PART_SIZE: '100KB', ROWMILL_POLL: '100ms' }
  let service = await startService({ data, env })
  const url = service.url
  const port = new URL(url).port
  let hits = 0
  let cut = false
  const end = new AbortController()
  const once: House['once'] = async (path, init) => {
    try {
      const response = await fetch(url + path, init)
      // The whole answer, or none.
      const body = await response.arrayBuffer()
      if (response.status !== 503) return new Response(response.status === 204 ? null : body, response)
    } catch {
      cut = true
    }
    await sleep(20)
    return undefined
  }
  const ask: House['ask'] = async (path, init) => {
    for (;;) {
      const response = await once(path, init())
      if (response !== undefined) return response
    }
  }
  const house = { once, ask }
  const uploads = new Map<string, string>()
  const names: string[] = []
  const client = async (n: number) => {
    for (let i = 0; !end.signal.aborted; i++) {
      const file = fileOf(`${n}-${i}.csv`)
      const door = doors[(n + i) % doors.length] as Door
      const id = await door(house, file)
      uploads.set(id, createHash('sha256').update(file.content).digest('hex'))
      names.push(file.name)
    }
  }
  const sending = Promise.all(Array.from({ length: clients }, (_, n) => client(n)))
  sending.catch(() => {})
  try {
    for (let kill = 0; kill < kills; kill++) {
      await sleep(randomInt(50, 500))
      cut = false
      await service.kill()
      service = await startService({ data, env: { ...env, ROWMILL_PORT: port } })
      if (cut) hits++
    }
    end.abort()
    await Promise.race([
      sending,
      sleep(60_000, undefined, { ref: false }).then(() => assert.fail('uploads do not come to an end')),
    ])
    await allEnd(service)
    await assertOnce(service, names)
    await service.stop()
  } finally {
    await service[Symbol.asyncDispose]()
  }
  await check({ data, uploads, tables: [] })
  return { kills, hits, files: names.length }
}

/** Plays that nobody else has, so that no task repeats another. */
function fileOf(name: string): Sent {
  const row = `${randomUUID()},2020-01-01,1\n`
  return { name, content: Buffer.from(`Song,Date,Number of Plays\n${row.repeat(randomInt(1, 20_000))}`) }
}

/** In pieces, slowly enough to be hit. */
async function* slowly(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 32_768) {
    yield content.subarray(at, at + 32_768)
    await sleep(2)
  }
}

function stream(content: Buffer): Pick<RequestInit, 'body' | 'duplex'> {
  return { body: ReadableStream.from(slowly(content)), duplex: 'half' }
}

interface Answer {
  readonly id: string
  readonly upload: { readonly id: string; readonly state: string }
  readonly folder_name: string
}

async function answer(response: Response, ...statuses: number[]): Promise<Answer> {
  const text = await response.text()
  assert.ok(statuses.includes(response.status), `${response.status} ${text}`)
  return JSON.parse(text) as Answer
}

/** While the dead holder of a key is waited for, it is 409. */
async function askWithKey({ ask }: House, path: string, init: () => RequestInit, key: string): Promise<Response> {
  for (;;) {
    const response = await ask(path, () => ({ ...init(), headers: { 'idempotency-key': key } }))
    if (response.status !== 409) return response
    await sleep(50)
  }
}

const plain: Door = async (house, { name, content }) => {
  const send = () => ({ method: 'PUT', ...stream(content) })
  return (await answer(await askWithKey(house, `/v1/uploads?${query(name)}`, send, name), 200, 202)).upload.id
}

const form: Door = async (house, { name, content }) => {
  const send = () => {
    const body = new FormData()
    body.set('file', new Blob([new Uint8Array(content)]), name)
    return { method: 'POST', body }
  }
  return (await answer(await askWithKey(house, '/v1/uploads?pipeline=song-plays', send, name), 200, 202)).upload.id
}

/** @param chunk bytes of one PATCH. */
function tus(chunk: number): Door {
  return async (house, { name, content }) => {
    const metadata = `filename ${btoa(name)},pipeline ${btoa('song-plays')}`
    const version = { 'tus-resumable': '1.0.0' }
    const creation = { ...version, 'upload-length': String(content.length), 'upload-metadata': metadata }
    const create = () => ({ method: 'POST', headers: { ...creation, 'idempotency-key': name } })
    let created = await house.ask('/v1/uploads', create)
    while (created.status === 409) created = await house.ask('/v1/uploads', create)
    const { id } = (await answer(created, 201)).upload
    for (let acknowledged = 0; acknowledged < content.length; ) {
      const head = await house.ask(`/v1/uploads/${id}`, () => ({ method: 'HEAD', headers: version }))
      const offset = Number(head.headers.get('upload-offset'))
      assert.equal(head.status, 200)
      assert.ok(offset >= acknowledged, `${name}: ${acknowledged} bytes were acknowledged, and ${offset} are there`)
      acknowledged = offset
      if (offset === content.length) break
      const headers = { ...version, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
      const part = content.subarray(offset, offset + chunk)
      const patch = await house.once(`/v1/uploads/${id}`, { method: 'PATCH', headers, ...stream(part) })
      if (patch?.status === 204) acknowledged = Number(patch.headers.get('upload-offset'))
    }
    return id
  }
}

function piecesOf(content: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(content.length / pieceBytes))
  return Array.from({ length: count }, (_, i) => content.subarray(i * pieceBytes, (i + 1) * pieceBytes))
}

const pieces: Door = async (house, { name, content }) => {
  const parts = piecesOf(content)
  const begin = () => ({ method: 'POST' })
  const begun = await askWithKey(house, `/v1/uploads?${query(name)}&parts=${parts.length}`, begin, name)
  const { id } = (await answer(begun, 201)).upload
  const send = (part: Buffer, i: number) =>
    house.ask(`/v1/uploads/${id}/parts/${i + 1}`, () => ({ method: 'PUT', ...stream(part) }))
  const answers = await Promise.all(parts.map(send))
  for (const one of answers) await answer(one, 200)
  return id
}

const folderOfPieces: Door = async (house, { name, content }) => {
  const begin = () => ({ method: 'POST' })
  const begun = await askWithKey(house, `/api/upload?assemble=true&${query(name)}`, begin, name)
  const { folder_name: id } = await answer(begun, 201)
  const send = (part: Buffer, i: number) =>
    house.ask(`/api/upload/${id}?index=${i + 1}`, () => ({ method: 'POST', ...stream(part) }))
  for (const one of await Promise.all(piecesOf(content).map(send))) await answer(one, 200)
  await answer(await house.ask(`/api/upload/${id}/complete`, () => ({ method: 'POST' })), 200, 202)
  return id
}

const doors: readonly Door[] = [plain, form, tus(64_000), tus(Number.POSITIVE_INFINITY), pieces, folderOfPieces]

async function allEnd({ url }: Service): Promise<void> {
  await until('all tasks have ended', async () => {
    const busy = await Promise.all(
      ['queued', 'running'].map(async (state) => {
        const { tasks } = (await (await fetch(`${url}/v1/tasks?state=${state}&limit=1`)).json()) as { tasks: unknown[] }
        return tasks.length
      }),
    )
    return busy.every((count) => count === 0)
  })
}

/** Every file has one complete upload and one task, which has succeeded. */
async function assertOnce({ url }: Service, names: readonly string[]): Promise<void> {
  const uploads = await listed<{ name: string; state: string; task: string | null }>(url, 'uploads')
  const complete = uploads.filter(({ state }) => state === 'complete')
  assert.deepEqual(complete.map(({ name }) => name).toSorted(), names.toSorted())
  const tasks = await listed<{ id: string; state: string }>(url, 'tasks')
  assert.deepEqual(new Set(tasks.map(({ state }) => state)), new Set(['succeeded']))
  assert.deepEqual(tasks.map(({ id }) => id).toSorted(), complete.map(({ task }) => task ?? '').toSorted())
}

async function listed<T>(url: string, what: 'uploads' | 'tasks'): Promise<T[]> {
  const all: T[] = []
  for (let next: string | null = `/v1/${what}?limit=200`; next !== null; ) {
    const page = (await (await fetch(url + next)).json()) as Record<string, T[]> & { next: string | null }
    all.push(...(page[what] ?? []))
    next = page.next
  }
  return all
}
