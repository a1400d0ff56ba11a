/**
 * `node test/s3-long.ts [GIGABYTES]`: a file of so many (2 by default) into a service on S3 by each of its doors, and out
 * again, with what the service needs of time and memory. It takes eight times as much disk.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { json as jsonOf } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { openS3Blobs } from '../src/blobs/s3/store.ts'
import { usualKeeping } from '../src/catalog/keeping.ts'
import { openCatalog } from '../src/catalog/open.ts'
import type { TaskAnswer, UploadAnswer } from '../src/cli/client.ts'
import { createLog } from '../src/log.ts'
import { isEnded } from '../src/model.ts'
import { digestOf } from './checker.ts'
import { json, launcherCommand, startService, temporaryFolder } from './harness.ts'
import { freshBucket, startServer } from './servers.ts'

const gigabytes = Number(process.argv[2] ?? 2)
const blockBytes = 1 << 20
const blocks = Math.ceil((gigabytes * 1e9) / blockBytes)

/** Bytes resident at most, of the service as its launcher starts it. */
const most = 300e6

const say = (line: string) => process.stdout.write(`${line}\n`)

// ------------------------------------------------------------------------------------------------------ bytes

interface Rows {
  /** The file, or so many blocks of it. */
  stream(from?: number, to?: number): Generator<Buffer>
  bytes(from?: number, to?: number): number
  readonly sha256: string
}

/** A CSV that is never in memory: by its seed and number, every block can be made again. */
function rowsOf(seed: string): Rows {
  const header = Buffer.from('id,text\n')
  const row = (n: number) =>
    `${'0'.repeat(12)},${createHash('sha256').update(`${seed} ${n}`).digest('hex').slice(14)}\n`
  const block = Buffer.from(Array.from({ length: blockBytes / 64 }, (_, n) => row(n)).join(''))
  assert.equal(block.length, blockBytes)
  function* stream(from = 0, to = blocks) {
    if (from === 0) yield header
    for (let n = from; n < to; n++) {
      const copy = Buffer.from(block)
      copy.write(String(n).padStart(12, '0'))
      yield copy
    }
  }
  const digest = createHash('sha256')
  for (const chunk of stream()) digest.update(chunk)
  const bytes = (from = 0, to = blocks) => (from === 0 ? header.length : 0) + (to - from) * blockBytes
  return { stream, bytes, sha256: digest.digest('hex') }
}

interface Sending {
  readonly method: 'PUT' | 'PATCH'
  readonly bytes: number
  readonly source: Iterable<Buffer>
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends bytes as they are made; what is answered, if it is JSON. */
async function send(url: string, { method, bytes, source, headers }: Sending): Promise<unknown> {
  const sent = request(url, { method, headers: { 'content-length': bytes, ...headers } })
  const answered = once(sent, 'response')
  await Promise.all([pipeline(Readable.from(source), sent), answered])
  const [answer] = (await answered) as [Parameters<typeof jsonOf>[0] & { statusCode?: number; headers: object }]
  assert.ok((answer.statusCode ?? 500) < 300, `${method} ${url} answers ${answer.statusCode}`)
  const isJson = String(new Map(Object.entries(answer.headers)).get('content-type')).startsWith('application/json')
  if (isJson) return await jsonOf(answer)
  for await (const _ of answer) assert.fail('nothing is answered')
  return undefined
}

// ------------------------------------------------------------------------------------------------------ doors

/** Sends the rows; the upload's id. */
type Door = (url: string, rows: Rows) => Promise<string>

const byPut: Door = async (url, rows) => {
  const sending = { method: 'PUT', bytes: rows.bytes(), source: rows.stream() } as const
  const { upload } = (await send(`${url}/v1/uploads?name=put.csv`, sending)) as { upload: UploadAnswer }
  return upload.id
}

const byTus: Door = async (url, rows) => {
  const tus = { 'tus-resumable': '1.0.0' }
  const headers = { ...tus, 'upload-length': String(rows.bytes()) }
  const begun = await fetch(`${url}/v1/uploads?name=tus.csv`, { method: 'POST', headers })
  const { upload } = await json<{ upload: UploadAnswer }>(begun)
  const patch = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' }
  const sending = { method: 'PATCH', bytes: rows.bytes(), source: rows.stream(), headers: patch } as const
  await send(`${url}/v1/uploads/${upload.id}`, sending)
  return upload.id
}

/** So many at a time, of 64 MiB. */
function inPieces(hands: number, put: (part: string, sending: Sending) => Promise<void>): Door {
  return async (url, rows) => {
    const size = 64
    const pieces = Math.ceil(blocks / size)
    const begun = await fetch(`${url}/v1/uploads?name=pieces.csv&parts=${pieces}`, { method: 'POST' })
    const { upload } = await json<{ upload: UploadAnswer }>(begun)
    const numbers = Array.from({ length: pieces }, (_, i) => i + 1).values()
    const hand = async () => {
      for (const n of numbers) {
        const range = [(n - 1) * size, Math.min(n * size, blocks)] as const
        const sending = { method: 'PUT', bytes: rows.bytes(...range), source: rows.stream(...range) } as const
        await put(`${url}/v1/uploads/${upload.id}/parts/${n}`, sending)
      }
    }
    await Promise.all(Array.from({ length: hands }, hand))
    return upload.id
  }
}

const past = 'pieces past the service'

/** What is told to be in the store is read from there and written back: one at a time is as much as two of the others. */
const doors: Readonly<Record<string, Door>> = {
  'one PUT': byPut,
  'tus, one PATCH': byTus,
  pieces: inPieces(2, async (part, sending) => void (await send(part, sending))),
  [past]: inPieces(1, async (part, sending) => {
    const { url } = await json<{ url: string }>(await fetch(`${part}/direct`, { method: 'POST' }))
    await send(url, sending)
    await json(await fetch(`${part}/direct`, { method: 'PUT' }))
  }),
}

// -------------------------------------------------------------------------------------------------- the round

await using folder = await temporaryFolder()
await using server = await startServer('radosgw')
await using bucket = await freshBucket(server.url)
await mkdir(folder.at('pipelines'))
const copying = [
  'inputs: { file: { columns: { id: string, text: string } } }',
  'outputs: { rows: { to: results, format: csv, sql: FROM file } }',
]
await writeFile(folder.at('pipelines', 'copy.yaml'), `about: The same again.\n${copying.join('\n')}\n`)
const env = { ROWMILL_BLOBS_URL: bucket.url, ROWMILL_PIPELINES: folder.at('pipelines') }
await using service = await startService({ data: folder.at('data'), env, command: [...launcherCommand, 'serve'] })
const log = createLog('warn')
const blobs = await openS3Blobs(bucket.url, { log })
await using catalog = await openCatalog(`sqlite:${folder.at('data', 'catalog.db')}`, { log, keeping: usualKeeping })

/** Does something, and says what it took: proc(5) has how the peak is set back. */
async function measured<T>(what: string, bytes: number, work: () => Promise<T>): Promise<T> {
  await writeFile(`/proc/${service.pid}/clear_refs`, '5')
  const began = performance.now()
  const result = await work()
  const seconds = (performance.now() - began) / 1000
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8')
  const memory = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  const speed = bytes / 1e6 / seconds
  say(`${what}: ${seconds.toFixed(1)} s, ${speed.toFixed(0)} MB/s, ${(memory / 1e6).toFixed(0)} MB of memory at most`)
  assert.ok(memory < most, `more than ${most / 1e6} MB`)
  return result
}

async function ended(id: string): Promise<TaskAnswer> {
  for (;;) {
    const task = await json<TaskAnswer>(await fetch(`${service.url}/v1/tasks/${id}?wait=60`))
    if (isEnded(task.state)) return task
  }
}

await measured('nothing yet', 0, async () => {})
let latest: { id: string; rows: Rows } | undefined
for (const [name, door] of Object.entries(doors)) {
  const rows = rowsOf(name)
  const what = `${(rows.bytes() / 1e9).toFixed(2)} GB by ${name}`
  const id = await measured(what, rows.bytes(), () => door(service.url, rows))
  assert.equal((await catalog.getUpload(id))?.state, 'complete')
  assert.equal(await digestOf(catalog, blobs, id), rows.sha256, name)
  latest = { id, rows }
}

const { id, rows } = latest ?? assert.fail()
const task = await measured('a task that copies them', rows.bytes(), async () => {
  const body = JSON.stringify({ pipeline: 'copy', inputs: [{ upload: id }] })
  const headers = { 'content-type': 'application/json' }
  const { id: begun } = await json<TaskAnswer>(
    await fetch(`${service.url}/v1/tasks`, { method: 'POST', headers, body }),
  )
  return await ended(begun)
})
assert.equal(task.state, 'succeeded', JSON.stringify(task.error))
for (const query of ['', '?direct=true']) {
  await measured(`the copy, got${query}`, rows.bytes(), async () => {
    const digest = createHash('sha256')
    const got = await fetch(`${service.url}/v1/tasks/${task.id}/outputs/rows${query}`)
    for await (const chunk of got.body ?? []) digest.update(chunk)
    assert.equal(digest.digest('hex'), rows.sha256)
  })
}
