/** What the tests of the API stand on: a listening server over a real catalog, blobs and queue in a folder of its own. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDiskBlobs } from '../src/blobs/disk.ts'
import { usualKeeping } from '../src/catalog/keeping.ts'
import { openCatalog } from '../src/catalog/open.ts'
import type { Limits } from '../src/ingest/deps.ts'
import { createIngest, type Ingest } from '../src/ingest/ingest.ts'
import { createLog } from '../src/log.ts'
import { type Output, type Role, roles, type Task } from '../src/model.ts'
import { builtInFolder, loadPipelines } from '../src/pipeline/load.ts'
import type { Keeping, NewTask } from '../src/entries.ts'
import type { Blobs, Catalog } from '../src/ports.ts'
import { openLocalQueue } from '../src/queue/local.ts'
import { createServer, type Timeouts } from '../src/http/server.ts'
import type { Check } from '../src/http/service.ts'
import { taskOf, upload } from './contracts/catalog-samples.ts'

export interface Served extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** The folder of its catalog and its blobs. */
  readonly data: string
  readonly catalog: Catalog
  readonly blobs: Blobs
  /** Stops the server alone. */
  close(): Promise<void>
  /** Everything below the blobs' folder, what is half-written included. */
  files(): Promise<string[]>
  /** How many bytes these have. */
  bytes(): Promise<number>
}

export interface ServeOptions {
  readonly limits?: Partial<Limits>
  readonly timeouts?: Partial<Timeouts>
  readonly checks?: readonly Check[]
  readonly keeping?: Partial<Keeping>
  /** Default: all. */
  readonly does?: readonly Role[]
  /** Folders of pipelines beside the built-in ones. */
  readonly pipelines?: readonly string[]
  /** The folder of another server, to share its catalog and its blobs. */
  readonly data?: string
  /** Where the bytes go, instead of a folder. */
  readonly blobs?: Blobs
  /** Puts something between the server and the real functions. */
  readonly wrap?: (ingest: Ingest) => Ingest
}

/** They are the same for every service. */
const builtIn = await loadPipelines([builtInFolder()])

export async function serve({
  limits,
  timeouts,
  checks = [],
  keeping = {},
  does = roles,
  pipelines: own = [],
  data,
  blobs: given,
  wrap = (ingest) => ingest,
}: ServeOptions = {}): Promise<Served> {
  const folder = data ?? (await mkdtemp(join(tmpdir(), 'rowmill-http-')))
  const log = createLog('silent')
  const catalog = await openCatalog(`sqlite:${join(folder, 'catalog.db')}`, {
    log,
    keeping: { ...usualKeeping, ...keeping },
  })
  const blobs = given ?? (await openDiskBlobs(join(folder, 'blobs'), { log }))
  const queue = openLocalQueue(catalog, { pollMs: 60_000, log })
  const pipelines = own.length === 0 ? builtIn : await loadPipelines([builtInFolder(), ...own])
  const ingest = createIngest({
    catalog,
    blobs,
    queue,
    pipelines,
    log,
    limits: { maxUpload: 1e9, maxUnpacked: 1e9, diskReserve: 0, segment: 64e6, ...limits },
    scratch: join(folder, 'doors'),
    leaseMs: 10_000,
    now: Date.now,
  })
  const app = await createServer({
    ingest: wrap(ingest),
    roles: new Set(does),
    keeping: usualKeeping,
    version: '1.2.3',
    checks,
    folderRun: { pipeline: 'song-plays', params: {} },
    timeouts: { headers: 60_000, idle: 120_000, ...timeouts },
    log,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const stored = async () => {
    const entries = await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    data: folder,
    catalog,
    blobs,
    close: () => app.close(),
    files: async () => (await stored()).map((path) => basename(path)),
    async bytes() {
      // What has just been published is not under its draft's name any more.
      const size = (path: string) =>
        stat(path).then(
          (one) => one.size,
          () => 0,
        )
      return (await Promise.all((await stored()).map(size))).reduce((all, one) => all + one, 0)
    },
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections()
      await app.close()
      await queue[Symbol.asyncDispose]()
      await catalog[Symbol.asyncDispose]()
      if (data === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An answer's body, looked at without a schema. */
export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

export const problemType = /^application\/problem\+json(;|$)/

/** The status and the code of a refusal, which is told as every refusal is. */
export async function refusal(response: Response): Promise<string> {
  assert.match(response.headers.get('content-type') ?? '', problemType)
  const { status, code } = await json(response)
  assert.equal(status, response.status)
  return `${response.status} ${String(code)}`
}

/** What is stored of an upload, one part behind another. */
export async function contentOf({ catalog, blobs }: Pick<Served, 'catalog' | 'blobs'>, id: string): Promise<Buffer> {
  const parts = await catalog.parts(id)
  return Buffer.concat(await Promise.all(parts.map(async ({ blob }) => buffer(await blobs.read(blob)))))
}

/** What the server says to these very bytes; the connection is closed on our side after them when `end` is set. */
export async function say(port: number, bytes: string | Uint8Array, { end = false } = {}): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  if (end) socket.end(bytes)
  else socket.write(bytes)
  return text(socket)
}

/** A connection that has said so much and goes on holding. */
export async function hold(port: number, bytes: string | Uint8Array): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.write(bytes, () => resolve())
  })
  return socket
}

/** Waits for what has to come about, however long the machine takes. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(10)
}

/** A complete upload and a queued task of `owner`, straight from the catalog. */
export async function insertTask({ catalog }: Served, owner = 'local', over: Partial<NewTask> = {}): Promise<Task> {
  const inputs = [{ input: 'plays', upload: await upload(catalog, owner), name: 'plays.csv' }]
  return catalog.createTask(taskOf([], { owner, pipelineText: 'secret: text', params: {}, inputs, ...over }))
}

export const csv = 'Song,Date,Total Number of Plays for Date\nUmbrella,2020-01-02,250\n'
export const rejectsCsv = 'input,line\nplays,3\n'
export const fixableCsv = '_line,_code,_message,Song,_raw\n3,missing-cell,,,x\n'

/** Lets a queued task succeed with one output, and rejects. */
export async function succeed({ catalog, blobs }: Served, id: string, more: readonly Output[] = []): Promise<void> {
  const claimed = await catalog.claim(id, 60_000)
  const output = await blobs.put(`results/${id}/totals`, Readable.from([Buffer.from(csv)]))
  const rejects = await blobs.put(`results/${id}/rejects`, Readable.from([Buffer.from(rejectsCsv)]))
  const fixable = await blobs.put(`results/${id}/fixable`, Readable.from([Buffer.from(fixableCsv)]))
  await catalog.finish(id, claimed?.attempt ?? 0, {
    state: 'succeeded',
    balances: {
      inputs: { plays: { records: 2, accepted: 1, rejected: 1, blankLines: 0 } },
      outputs: { totals: { produced: 1, inserted: 1, updated: 0, unchanged: 0, skipped: 0 } },
    },
    warnings: [],
    outputs: [{ name: 'totals', format: 'csv', rows: 1, blob: `results/${id}/totals`, ...output }, ...more],
    rejects: {
      count: 1,
      bytes: rejects.bytes,
      blob: `results/${id}/rejects`,
      fixable: [{ input: 'plays', bytes: fixable.bytes, blob: `results/${id}/fixable` }],
    },
  })
}
