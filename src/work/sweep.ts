/** Removes what a death has left behind: scratch folders, results and parts that nobody accounts for. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { directOf, directPrefix, isFile, resultsPrefix, type Task, uploadsPrefix } from '../model.ts'
import type { Blobs, Catalog } from '../ports.ts'
import { scratchName } from './attempt.ts'

/** The store of blobs, which is everybody's. */
export interface Sweeping {
  readonly catalog: Pick<Catalog, 'getTask' | 'getUpload' | 'partBlobs'>
  readonly blobs: Pick<Blobs, 'list' | 'delete'>
  readonly log: Log
}

/** The folders of one process, or of several that share them. */
export interface Folders {
  readonly catalog: Pick<Catalog, 'getTask'>
  readonly scratch: string
  readonly doors: string
  readonly log: Log
}

/** Debris is rare, searching for it reads everything, and nothing that is being recorded takes as long as this. */
export const sweepMs = 3_600_000

/** As many keys are looked up at once. */
const batch = 500

/**
 * @param before what nobody accounted for at the last sweep: what is being recorded or looked at right now is nobody's
 *   either, so only what is found twice is removed.
 * @returns those that were found now.
 */
export async function sweepBlobs(sweeping: Sweeping, before: ReadonlySet<string> = new Set()): Promise<Set<string>> {
  await sweepResults(sweeping)
  await sweepDirect(sweeping)
  const strays = await strayParts(sweeping)
  for (const key of strays.intersection(before)) {
    sweeping.log.info({ key }, 'removing bytes that belong to no upload')
    await sweeping.blobs.delete(key)
    strays.delete(key)
  }
  return strays
}

/** The same for the folders of a process. */
export async function sweepFolders(folders: Folders, before: ReadonlySet<string> = new Set()): Promise<Set<string>> {
  const { doors, log } = folders
  await sweepScratch(folders)
  const looks = new Set((await namesIn(doors)).map((name) => join(doors, name)))
  for (const path of looks.intersection(before)) {
    log.info({ path }, 'removing a copy that nobody looks at')
    await rm(path, { force: true })
    looks.delete(path)
  }
  return looks
}

async function sweepScratch({ catalog, scratch, log }: Folders): Promise<void> {
  for (const name of await namesIn(scratch)) {
    const task = await catalog.getTask(name.split('-')[0] ?? '')
    if (task?.state === 'running' && name === scratchName(task)) continue
    log.info({ name }, 'removing a scratch folder that nobody uses')
    await rm(join(scratch, name), { recursive: true, force: true })
  }
}

async function sweepResults({ catalog, blobs, log }: Sweeping): Promise<void> {
  for (const key of await blobs.list(resultsPrefix)) {
    const [id = '', attempt] = key.slice(resultsPrefix.length).split('/')
    const task = await catalog.getTask(id)
    if (task !== undefined && isAccountedFor(task, key, Number(attempt))) continue
    log.info({ key }, 'removing a result that no task has delivered')
    await blobs.delete(key)
  }
}

/** The URL of a piece is good for a while after its upload is closed. */
async function sweepDirect({ catalog, blobs, log }: Sweeping): Promise<void> {
  const keys = await blobs.list(directPrefix)
  for (const id of new Set(keys.map((key) => key.slice(directPrefix.length).split('/')[0] ?? ''))) {
    if ((await catalog.getUpload(id))?.state === 'open') continue
    log.info({ upload: id }, 'removing pieces that no upload waits for')
    await blobs.delete(directOf(id))
  }
}

async function strayParts({ catalog, blobs }: Sweeping): Promise<Set<string>> {
  const keys = await blobs.list(uploadsPrefix)
  const strays = new Set<string>()
  for (let at = 0; at < keys.length; at += batch) {
    const some = keys.slice(at, at + batch)
    const parts = await catalog.partBlobs(some)
    for (const key of some) if (!parts.has(key)) strays.add(key)
  }
  return strays
}

function isAccountedFor(task: Task, key: string, attempt: number): boolean {
  if (task.state === 'running' && task.attempt === attempt) return true
  if (task.expired) return false
  const { rejects, outputs } = task
  const files = [...(rejects === null ? [] : [rejects, ...rejects.fixable]), ...outputs.filter(isFile)]
  return files.some(({ blob }) => blob === key)
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
