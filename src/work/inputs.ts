/** The files of a task, in the folder of an attempt; and what is found out about them while they are read. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../errors.ts'
import type { JobInput } from '../job.ts'
import type { Part, Task, Upload, Warning } from '../model.ts'
import type { Pipeline } from '../definition.ts'
import { repeatKey } from '../pipeline/repeat.ts'
import type { Blobs, Catalog } from '../ports.ts'
import { type Digest, digestsOf } from './digests.ts'

interface Fetched {
  readonly upload: Upload
  readonly parts: readonly Part[]
  readonly input: string
  /** One; or one a part, where these are united as rows. */
  readonly files: readonly JobInput[]
}

/**
 * Puts a task's uploads into a folder.
 * @throws {AppError} gone, when one is no longer there
 */
export async function fetchInputs(
  { catalog, blobs }: { catalog: Catalog; blobs: Blobs },
  task: Pick<Task, 'inputs'>,
  folder: string,
  signal: AbortSignal,
): Promise<Fetched[]> {
  const fetched: Fetched[] = []
  let files = 0
  for (const { input, upload: id, name } of task.inputs) {
    const upload = await catalog.getUpload(id)
    if (upload?.state !== 'complete') throw new AppError('gone', `The upload ${id} (${name}) is gone. Send it again.`)
    const fetch = async (some: readonly Part[], called: string, sha256: string | null) => {
      const path = join(folder, String(files++))
      await blobs.fetch(
        some.map(({ blob }) => blob),
        path,
        signal,
      )
      return { input, name: called, path, sha256 }
    }
    const rows = async (parts: readonly Part[]) => {
      const pieces: JobInput[] = []
      // An empty piece has no header, and nothing below it.
      for (const part of parts.filter(({ bytes }) => bytes > 0))
        pieces.push(await fetch([part], `${name} (piece ${part.n})`, part.sha256))
      return pieces
    }
    fetched.push(
      await withParts(catalog, id, async (parts) => ({
        upload,
        parts,
        input,
        files: upload.joined === 'as rows' ? await rows(parts) : [await fetch(parts, name, upload.sha256)],
      })),
    )
  }
  return fetched
}

/** A blob gives way to a newer one with the same bytes: one that is gone is looked up once more. */
async function withParts<T>(
  catalog: Catalog,
  upload: string,
  work: (parts: readonly Part[]) => Promise<T>,
): Promise<T> {
  for (;;) {
    const parts = await catalog.parts(upload)
    try {
      return await work(parts)
    } catch (error) {
      const isGone = error instanceof AppError && error.code === 'not_found'
      if (!isGone || isDeepStrictEqual(await catalog.parts(upload), parts)) throw error
    }
  }
}

/**
 * What each upload holds, as hashes. Of those that nobody has read as a whole before, they are found out now, compared with
 * those of their parts and with what the client has told, and written down.
 * @throws {AppError} checksum
 */
export async function contentsOf(
  catalog: Catalog,
  fetched: readonly Fetched[],
  signal: AbortSignal,
): Promise<string[]> {
  const unknown = fetched.filter(isUnread)
  const digests = await digestsOf(
    unknown.map(({ files, parts }) => ({ path: files[0]?.path ?? '', stretches: parts.map(({ bytes }) => bytes) })),
    signal,
  )
  const found = new Map<string, string>()
  for (const [i, { upload, parts }] of unknown.entries()) {
    const digest = digests[i]
    if (digest === undefined) continue
    refuseDamaged(upload, parts, digest)
    await catalog.recordSha256(upload.id, digest.sha256)
    found.set(upload.id, digest.sha256)
  }
  return fetched.map(({ upload, parts }) => upload.sha256 ?? found.get(upload.id) ?? rowsHash(parts))
}

/** Equal for tasks that would do the same, now that all their contents are known; null where that does not matter. */
export function repeatKeyOf(
  task: Task,
  pipeline: Pipeline,
  file: string,
  fetched: readonly Fetched[],
  contents: readonly string[],
): string | null {
  const isAlone = task.corrects !== null || task.retryOf !== null || task.dryRun || task.committing
  if (isAlone || fetched.every(({ upload }) => upload.sha256 !== null)) return null
  const inputs = fetched.map(({ input }, i) => ({ input, content: contents[i] ?? '' }))
  return repeatKey({ ...task, pipeline, file, inputs })
}

/** Files for one input that have the same bytes: mostly one that was sent twice, and nobody else would see it. */
export function sameFiles(fetched: readonly Fetched[], contents: readonly string[]): Warning[] {
  const first = new Map<string, string>()
  return fetched.flatMap(({ input, upload: { name } }, i) => {
    const content = `${input} ${contents[i]}`
    const other = first.get(content)
    if (other === undefined) {
      first.set(content, name)
      return []
    }
    const message = `“${name}” has the same bytes as “${other}”, and both are for ${input}: their rows count twice`
    return [{ code: 'same-file', message } as const]
  })
}

function isUnread({ upload }: Fetched): boolean {
  return upload.sha256 === null && upload.joined === 'as bytes'
}

/** Of pieces that are never one file: what they are, in their order. */
function rowsHash(parts: readonly Part[]): string {
  const hashes = parts.map(({ sha256 }) => sha256)
  return createHash('sha256').update(JSON.stringify(hashes)).digest('hex')
}

function refuseDamaged({ id, name, claimedSha256 }: Upload, parts: readonly Part[], digest: Digest): void {
  const damaged = parts.find(({ sha256 }, i) => sha256 !== digest.stretches[i])
  if (damaged !== undefined) {
    throw new AppError(
      'checksum',
      `Part ${damaged.n} of upload ${id} (${name}) is no longer what was stored: the disk has changed it. Send the file again.`,
    )
  }
  if (claimedSha256 === null || claimedSha256 === digest.sha256) return
  throw new AppError(
    'checksum',
    `Upload ${id} (${name}) hashes to ${digest.sha256}, not to ${claimedSha256} as was told. Send it again.`,
  )
}
