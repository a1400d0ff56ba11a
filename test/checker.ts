/** What must hold after any fault, however it came about: every fault test ends with these questions. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { local } from '../src/auth/authorize.ts'
import { openBlobs } from '../src/blobs/open.ts'
import { openCatalog } from '../src/catalog/open.ts'
import { createLog } from '../src/log.ts'
import { isEnded, isFile, resultsPrefix, type Task, uploadsPrefix } from '../src/model.ts'
import type { Blobs, Catalog } from '../src/ports.ts'
import type { Env } from './harness.ts'
import { sweepBlobs, sweepFolders } from '../src/work/sweep.ts'

/** A table that tasks have put rows into. */
export interface Loaded {
  /** Each row as a text, in any order. */
  readonly rows: readonly string[]
  /** The same as whoever knows what should be there has it. */
  readonly expected: readonly string[]
  /** The tasks that the sink's ledger says it has committed. */
  readonly ledger: readonly string[]
}

export interface Checked {
  /** The data folder of a service that has ended; of several, that of one. */
  readonly data: string
  /** What the services were told, where catalog or blobs are elsewhere. */
  readonly env?: Env
  /** Uploads that were acknowledged, by id, with their SHA-256 in hex. */
  readonly uploads: ReadonlyMap<string, string>
  readonly tables: readonly Loaded[]
}

/** Each acknowledged upload is there; every task has ended; the rows are there once; nothing belongs to nobody. */
export async function check({ data, env = {}, uploads, tables }: Checked): Promise<void> {
  const log = createLog('silent')
  const catalogUrl = env['ROWMILL_CATALOG_URL'] ?? `sqlite:${join(data, 'catalog.db')}`
  await using catalog = await openCatalog(catalogUrl, { log })
  const blobs = await openBlobs(env['ROWMILL_BLOBS_URL'], join(data, 'blobs'), { log })
  assert.deepEqual(await catalog.checkIntegrity(), [])
  // Twice, since what is found once may be on its way. Nothing that is needed may go with it.
  const sweeping = { catalog, blobs, scratch: join(data, 'scratch'), doors: join(data, 'doors'), log }
  await sweepBlobs(sweeping, await sweepBlobs(sweeping))
  await sweepFolders(sweeping, await sweepFolders(sweeping))
  for (const [id, sha256] of uploads) assert.equal(await digestOf(catalog, blobs, id), sha256, `upload ${id}`)

  const tasks = await catalog.listTasks(local.id, { limit: 10_000 })
  assert.deepEqual(
    tasks.filter(({ state }) => !isEnded(state)).map(({ id }) => id),
    [],
    'tasks that have not ended',
  )
  for (const { rows, expected } of tables) assert.deepEqual(rows.toSorted(), expected.toSorted())
  const loads = tasks.filter(({ state, outputs, undone }) => {
    return state === 'succeeded' && (undone !== null || outputs.some((one) => !isFile(one)))
  })
  assert.deepEqual(
    tables.flatMap(({ ledger }) => ledger).toSorted(),
    loads.map(({ delivery }) => delivery).toSorted(),
    'the ledgers, and the tasks that have succeeded',
  )
  const left = await blobs.list(resultsPrefix)
  const owned = new Set(tasks.flatMap(blobsOf))
  assert.deepEqual(
    left.filter((key) => !owned.has(key)),
    [],
    'blobs that belong to nobody',
  )
  const parts = await blobs.list(uploadsPrefix)
  assert.deepEqual(new Set(parts), await catalog.partBlobs(parts), 'parts that belong to nobody')
}

/** What the stored bytes of an upload hash to, in hex. */
export async function digestOf(catalog: Pick<Catalog, 'parts'>, blobs: Blobs, upload: string): Promise<string> {
  const digest = createHash('sha256')
  for (const { blob } of await catalog.parts(upload)) {
    for await (const chunk of (await blobs.read(blob)) as AsyncIterable<Buffer>) digest.update(chunk)
  }
  return digest.digest('hex')
}

function blobsOf({ outputs, rejects }: Task): string[] {
  const files = [...outputs.filter(isFile), ...(rejects === null ? [] : [rejects, ...rejects.fixable])]
  return files.map(({ blob }) => blob)
}
