import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { startService, temporaryFolder } from '../../test/harness.ts'
import {
  contentOf,
  hold,
  json,
  refusal,
  type Served,
  serve,
  type ServeOptions,
  until,
} from '../../test/http-fixture.ts'
import { patchHead, tusClient } from '../../test/tus-fixture.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Uploads } from '../ingest/uploads.ts'

/** No two stretches are equal: what is stored already is not stored again. */
function playsOf(rows: number): Buffer {
  const lines = Array.from({ length: rows }, (_, i) => `Umbrella,2020-01-02,${100_000 + i}\n`)
  return Buffer.from(`Song,Date,Number of Plays\n${lines.join('')}`)
}

const bytes = playsOf(12_000)
const segment = 100_000

const idOf = (path: string) => path.split('/').at(-1) ?? ''

interface Counting extends Served {
  /** Bytes of stretches that have come so far. */
  readonly came: () => number
}

/** A server that tells how much of what was sent to it has come. */
async function serveCounting(options: ServeOptions = {}): Promise<Counting> {
  let came = 0
  async function* counted(source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      came += chunk.byteLength
      yield chunk
    }
  }
  const wrap = ({ uploads, ...ingest }: Ingest): Ingest => {
    const append: Uploads['append'] = (principal, id, stretch) =>
      uploads.append(principal, id, { ...stretch, source: counted(stretch.source) })
    return { ...ingest, uploads: { ...uploads, append } }
  }
  return { ...(await serve({ ...options, wrap })), came: () => came }
}

/** A PATCH of all bytes, of which so many have come. */
async function hang(served: Counting, path: string, sent: number, more = ''): Promise<Socket> {
  const before = served.came()
  const head = patchHead(path, 0, bytes.length, more)
  const socket = await hold(served.port, Buffer.concat([Buffer.from(head), bytes.subarray(0, sent)]))
  await until(async () => served.came() >= before + sent)
  return socket
}

/** Sends what was held back; the status that is said to it. */
async function goOn(socket: Socket, rest: Uint8Array): Promise<string> {
  const said = once(socket, 'data') as Promise<[Buffer]>
  socket.write(rest)
  const [answer] = await said
  socket.destroy()
  return answer.toString('latin1', 9, 12)
}

/** It is whole, and nothing is on the disk that is no part of it. */
async function assertWhole(served: Served, path: string): Promise<void> {
  const upload = await served.catalog.getUpload(idOf(path))
  const parts = await served.catalog.parts(idOf(path))
  assert.equal(upload?.state, 'complete')
  assert.ok((await contentOf(served, idOf(path))).equals(bytes))
  assert.equal((await served.files()).length, new Set(parts.map(({ blob }) => blob)).size)
}

test('what had come of a stretch when its connection broke is kept', async () => {
  await using served = await serveCounting({ limits: { segment } })
  const { begin, offset, patch } = tusClient(served)
  const path = await begin(bytes.length)
  const socket = await hang(served, path, 250_000)
  socket.destroy()
  assert.equal(await offset(path), 250_000)
  assert.ok((await contentOf(served, idOf(path))).equals(bytes.subarray(0, 250_000)))
  assert.equal((await patch(path, 250_000, bytes.subarray(250_000))).status, 204)
  await assertWhole(served, path)
})

test('however little had come when a connection broke, it is kept', async () => {
  await using served = await serveCounting()
  const { begin, offset } = tusClient(served)
  const path = await begin(bytes.length)
  const head = Buffer.from(patchHead(path, 0, bytes.length))
  const socket = await hold(served.port, Buffer.concat([head, bytes.subarray(0, 1000)]))
  await until(async () => served.came() === 1000)
  socket.destroy()
  assert.equal(await offset(path), 1000)
  assert.ok((await contentOf(served, idOf(path))).equals(bytes.subarray(0, 1000)))
})

test('nothing is kept of a stretch with a checksum whose connection broke', async () => {
  await using served = await serveCounting({ limits: { segment } })
  const { begin, offset } = tusClient(served)
  const path = await begin(bytes.length)
  const sum = createHash('sha1').update(bytes).digest('base64')
  const socket = await hang(served, path, 250_000, `upload-checksum: sha1 ${sum}\r\n`)
  socket.destroy()
  // Drafts are named with dots.
  await until(async () => (await served.files()).every((name) => !name.includes('.')))
  assert.equal(await offset(path), 0)
  assert.deepEqual(await served.files(), [])
})

test('a connection that hangs is in nobody’s way, and can add nothing any more', async () => {
  await using served = await serveCounting({ limits: { segment } })
  const { begin, offset, patch } = tusClient(served)
  const path = await begin(bytes.length)
  const socket = await hang(served, path, 250_000)
  assert.equal(await offset(path), 250_000)
  assert.equal((await patch(path, 250_000, bytes.subarray(250_000, 260_000))).status, 204)
  assert.equal(await goOn(socket, bytes.subarray(250_000)), '409')
  assert.equal(await offset(path), 260_000)
  assert.equal((await patch(path, 260_000, bytes.subarray(260_000))).status, 204)
  await assertWhole(served, path)
})

test('who does not ask where to go on is told, and what the connection before has brought is kept', async () => {
  await using served = await serveCounting({ limits: { segment } })
  const { begin, patch } = tusClient(served)
  const path = await begin(bytes.length)
  const socket = await hang(served, path, 250_000)
  const refused = await patch(path, 0, bytes)
  assert.deepEqual((await json(refused.clone()))['details'], { offset: 250_000 })
  assert.equal(await refusal(refused), '409 conflict')
  assert.equal((await patch(path, 250_000, bytes.subarray(250_000))).status, 204)
  assert.equal(await goOn(socket, bytes.subarray(250_000)), '409')
  await assertWhole(served, path)
})

test('an upload can be deleted under a connection that hangs', async () => {
  await using served = await serveCounting({ limits: { segment } })
  const { begin, send } = tusClient(served)
  const path = await begin(bytes.length)
  const socket = await hang(served, path, 250_000)
  assert.equal((await send('DELETE', path)).status, 204)
  assert.equal(await goOn(socket, bytes.subarray(250_000)), '409')
  assert.equal((await send('HEAD', path)).status, 410)
  assert.deepEqual(await served.files(), [])
})

test('a crowd that sends one file all at once does no harm to it', async () => {
  await using served = await serveCounting({ limits: { segment: 7_000 } })
  const { begin, offset, patch } = tusClient(served)
  const path = await begin(bytes.length)
  const goOnBy = async (step: number) => {
    const at = await offset(path)
    const { status } = await patch(path, at, bytes.subarray(at, at + step))
    assert.ok(status === 204 || status === 409, String(status))
  }
  // They may all be in each other's way.
  const client = async (step: number) => {
    for (let round = 0; round < 8; round++) await goOnBy(step)
  }
  await Promise.all([5_000, 20_000, 70_000, bytes.length, bytes.length].map(client))
  while ((await offset(path)) < bytes.length) await goOnBy(bytes.length)
  await assertWhole(served, path)
})

test('where a connection to one server hangs, the client goes on at another over the same data', async () => {
  await using served = await serveCounting({ limits: { segment } })
  await using other = await serveCounting({ limits: { segment }, data: served.data })
  const path = await tusClient(served).begin(bytes.length)
  const socket = await hang(served, path, 250_000)
  const { offset, patch } = tusClient(other)
  // The hanging one tells nobody when its second stretch is written.
  await until(async () => (await offset(path)) === 200_000)
  assert.equal((await patch(path, 200_000, bytes.subarray(200_000, 230_000))).status, 204)
  assert.equal(await goOn(socket, bytes.subarray(250_000)), '409')
  assert.equal(await offset(path), 230_000)
  assert.equal((await patch(path, 230_000, bytes.subarray(230_000))).status, 204)
  await assertWhole(served, path)
})

test('two services on one data folder take one file from a client that changes between them', async () => {
  await using folder = await temporaryFolder()
  const env = { ROWMILL_PART_SIZE: '1MB' }
  const data = `${folder.path}/data`
  await using one = await startService({ data, env })
  await using two = await startService({ data, env })
  const file = playsOf(180_000)
  const path = await tusClient(one).begin(file.length, { pipeline: 'song-plays' })
  const head = Buffer.from(patchHead(path, 0, file.length))
  const half = file.subarray(0, file.length / 2)
  const socket = await hold(Number(new URL(one.url).port), Buffer.concat([head, half]))
  const { offset, patch } = tusClient(two)
  await until(async () => (await offset(path)) === 2_000_000)
  const whole = await patch(path, 2_000_000, file.subarray(2_000_000))
  assert.equal(whole.status, 204)
  assert.equal(await goOn(socket, file.subarray(half.length)), '409')
  const task = await json(await fetch(`${one.url}/v1/tasks/${whole.headers.get('rowmill-task')}?wait=60`))
  assert.equal(task['state'], 'succeeded')
  const sha256 = createHash('sha256').update(file).digest('hex')
  assert.equal((await json(await fetch(two.url + path)))['sha256'], sha256)
})
