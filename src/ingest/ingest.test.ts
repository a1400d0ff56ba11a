import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { local } from '../auth/authorize.ts'
import { openDiskBlobs } from '../blobs/disk.ts'
import { openCatalog } from '../catalog/open.ts'
import { createLog } from '../log.ts'
import { builtInFolder, loadPipelines } from '../pipeline/load.ts'
import { openLocalQueue } from '../queue/local.ts'
import type { IngestDeps } from './deps.ts'
import { createIngest } from './ingest.ts'

const run = { pipeline: 'song-plays', params: {} }
const wish = { run }

const bytes = (content: string) => Readable.from([Buffer.from(content)])

async function open(change: (deps: IngestDeps) => Partial<IngestDeps> = () => ({})) {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-ingest-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const log = createLog('silent')
  const catalog = stack.use(await openCatalog(`sqlite:${join(folder, 'catalog.db')}`, { log }))
  const deps: IngestDeps = {
    catalog,
    blobs: await openDiskBlobs(join(folder, 'blobs'), { log }),
    queue: stack.use(openLocalQueue(catalog, { pollMs: 60_000, log })),
    pipelines: await loadPipelines([builtInFolder()]),
    limits: { maxUpload: 1000, maxUnpacked: 1000, diskReserve: 0, segment: 400 },
    scratch: join(folder, 'doors'),
    leaseMs: 10_000,
    now: Date.now,
    log,
  }
  const all = { ...deps, ...change(deps) }
  return { ...all, ingest: createIngest(all), [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('an upload is its parts in order, and closed once complete', async () => {
  await using rig = await open()
  const { uploads } = rig.ingest
  const { id } = await uploads.begin(local, { name: 'plays.csv', comes: 'in pieces' })
  await uploads.putPiece(local, id, { n: 2, source: bytes('world') })
  await uploads.putPiece(local, id, { n: 1, source: bytes('wrong and long') })
  await uploads.putPiece(local, id, { n: 1, source: bytes('hello ') })
  const { upload } = await uploads.complete(local, id)
  // Nobody has read it as a whole yet.
  assert.deepEqual([upload.state, upload.bytes, upload.sha256], ['complete', 11, null])
  const contents = await Promise.all(
    (await rig.catalog.parts(id)).map(async ({ blob }) => String(await (await rig.blobs.read(blob)).toArray())),
  )
  assert.deepEqual(contents, ['hello ', 'world'])
  await assert.rejects(uploads.putPiece(local, id, { n: 3, source: bytes('!') }), { code: 'conflict' })
  assert.deepEqual((await uploads.complete(local, id)).upload, upload)
})

test('the parts of an upload together are held to the limit', async () => {
  await using rig = await open()
  const { uploads } = rig.ingest
  const { id } = await uploads.begin(local, { name: 'plays.csv', comes: 'in pieces' })
  await uploads.putPiece(local, id, { n: 1, source: bytes('x'.repeat(600)) })
  await assert.rejects(uploads.putPiece(local, id, { n: 2, source: bytes('x'.repeat(401)) }), { code: 'too_large' })
  await uploads.putPiece(local, id, { n: 2, source: bytes('x'.repeat(400)) })
  await uploads.putPiece(local, id, { n: 1, source: bytes('x'.repeat(600)) })
  assert.equal((await uploads.complete(local, id)).upload.bytes, 1000)
})

test('an upload that would eat into the reserve is refused as such, announced or not', async () => {
  await using rig = await open(({ blobs }) => ({ blobs: { ...blobs, free: async () => 500 } }))
  const delivery = { name: 'plays.csv', wish }
  const source = () => bytes('x'.repeat(501))
  await assert.rejects(rig.ingest.uploads.receive(local, { ...delivery, source: source(), size: 501 }), {
    code: 'full',
  })
  await assert.rejects(rig.ingest.uploads.receive(local, { ...delivery, source: source() }), { code: 'full' })
  assert.deepEqual(await rig.blobs.list(''), [])
  assert.deepEqual(await rig.catalog.listUploads('local', { limit: 1 }), [])
})

test('the bell rings for every task that comes into being', async () => {
  const rung: string[] = []
  const ring = async (task: string) => void rung.push(task)
  await using rig = await open(({ queue }) => ({ queue: { ...queue, ring } }))
  const { uploads, tasks } = rig.ingest
  const { upload, task } = await uploads.receive(local, { name: 'plays.csv', source: bytes('a'), wish })
  const { task: again } = await tasks.submit(local, { ...run, again: true, inputs: [{ upload: upload.id }] })
  await tasks.cancel(local, again.id)
  const retried = await tasks.retry(local, again.id)
  assert.deepEqual(rung, [task?.id, again.id, retried.id])
})

test('a queue that is down delays a task, and refuses no upload', async () => {
  const ring = () => Promise.reject(new Error('down'))
  await using rig = await open(({ queue }) => ({ queue: { ...queue, ring } }))
  const { upload, task } = await rig.ingest.uploads.receive(local, { name: 'plays.csv', source: bytes('a'), wish })
  assert.equal(upload.sha256, createHash('sha256').update('a').digest('hex'))
  assert.deepEqual(await rig.catalog.dueTasks(2), [task?.id])
})

test('a source that fails is told, and nothing of it stays', async () => {
  await using rig = await open()
  async function* source() {
    yield Buffer.from('Song')
    throw new Error('the cable')
  }
  await assert.rejects(rig.ingest.uploads.receive(local, { name: 'plays.csv', source: source(), wish }), /the cable/)
  assert.deepEqual(await rig.blobs.list(''), [])
  assert.deepEqual(await rig.catalog.listUploads('local', { limit: 1 }), [])
  assert.deepEqual(await rig.catalog.dueTasks(1), [])
})
