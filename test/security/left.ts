/** What a service holds on to: descriptors, memory, files. After whatever was done to it, that is no more than before. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { assertNoTrace, filesIn, json, type Service, until } from '../harness.ts'
import { digestOf } from './cases.ts'

export interface Held {
  /** Open descriptors. */
  readonly descriptors: number
  /** Resident memory, in bytes. */
  readonly memory: number
}

/** Linux's /proc (proc(5)). */
export function heldBy({ pid }: Pick<Service, 'pid'>): Held {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, memory: Number(kilobytes) * 1024 }
}

/** What of its data folder it has open, by the path in it. */
export function openFiles({ pid, data }: Pick<Service, 'pid' | 'data'>): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`)
      return path.startsWith(`${data}/`) ? [path.slice(data.length + 1)] : []
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

/** A few descriptors are nobody's: a connection that the client keeps, a process on its way out. */
const spare = 3

/** Waits until nothing is on its way any more and the descriptors are back. */
export async function settled(service: Service, { descriptors }: Held): Promise<void> {
  await until('what was half-written is removed', async () => (await draftsOf(service)).length === 0)
  await until(`the descriptors are ${descriptors} again`, () => heldBy(service).descriptors <= descriptors + spare)
}

export function draftsOf({ data }: Pick<Service, 'data'>): Promise<string[]> {
  return filesIn(join(data, 'blobs/tmp'))
}

/** Whoever sends what is wrong is told so; the log of errors is for what is wrong with the service. */
export function assertNoFault({ stderr }: Pick<Service, 'stderr'>): void {
  assert.doesNotMatch(stderr(), /"level":(50|60)/)
  assertNoTrace(stderr())
}

/** Tasks that nobody waits for are not worth their time. */
export async function cancelTasks({ url }: Pick<Service, 'url'>): Promise<void> {
  await until('no task is left', async () => {
    const lists = ['queued', 'running'].map(async (state) => {
      return (await json<{ tasks: TaskAnswer[] }>(await fetch(`${url}/v1/tasks?state=${state}&limit=200`))).tasks
    })
    const tasks = (await Promise.all(lists)).flat()
    for (const { id } of tasks) await (await fetch(`${url}/v1/tasks/${id}/cancel`, { method: 'POST' })).text()
    return tasks.length === 0
  })
}

interface PartRow {
  readonly upload: string
  readonly n: number
  readonly blob: string
  readonly sha256: string
}

export interface Kept {
  readonly parts: readonly PartRow[]
  /** The uploads that are complete, by their ids. */
  readonly complete: ReadonlySet<string>
}

/** The catalog of a service that has ended; every blob of an upload is one that it names, with the bytes that it names. */
export async function keptIn(data: string): Promise<Kept> {
  using catalog = new DatabaseSync(join(data, 'catalog.db'))
  const named = 'select upload, n, blob, sha256 from parts join contents using (sha256, bytes)'
  const parts = catalog.prepare(named).all() as unknown as PartRow[]
  const complete = catalog.prepare("select id from uploads where state = 'complete'").all()
  const stored = await filesIn(join(data, 'blobs/uploads'))
  assert.deepEqual(
    stored.map((name) => `uploads/${name}`),
    [...new Set(parts.map(({ blob }) => blob))].toSorted(),
    'the blobs, and those that the catalog names',
  )
  for (const { blob, sha256 } of parts) assert.equal(digestOf(await readFile(join(data, 'blobs', blob))), sha256, blob)
  return { parts, complete: new Set(complete.map(({ id }) => String(id))) }
}
