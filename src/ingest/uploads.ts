import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Part, Task, Upload } from '../model.ts'
import type { NewTask, Page } from '../ports.ts'
import { newCorrection } from './corrections.ts'
import type { IngestDeps } from './deps.ts'
import { findUpload } from './find.ts'
import { newTask, type RunRequest, ring } from './tasks.ts'

export const maxNameLength = 255

/** A body that comes in one stream, and what is to become of it. */
export interface Delivery {
  readonly name: string
  readonly source: AsyncIterable<Uint8Array>
  /** Bytes announced; undefined when nobody knows. */
  readonly size?: number | undefined
  /** The task to create with it. */
  readonly run?: RunRequest | undefined
  /** The task whose rejects it brings, corrected; there is no `run` then. */
  readonly corrects?: string | undefined
}

export interface Uploads {
  /** @throws {AppError} invalid (the name), too_large, full */
  begin(principal: Principal, upload: { name: string; size?: number | undefined; id?: string }): Promise<Upload>
  /**
   * Stores the bytes of part `n`; they are durable and recorded once it resolves.
   * @throws {AppError} not_found, conflict, too_large, full
   */
  append(principal: Principal, id: string, part: { n: number; source: AsyncIterable<Uint8Array> }): Promise<Part>
  /**
   * Closes the upload and creates its task, if any, in one transaction; the bell rings after.
   * @throws {AppError} not_found, conflict
   */
  complete(principal: Principal, id: string, task?: NewTask): Promise<Upload>
  /**
   * All three for one stream. Everything that can be refused is refused before the first byte is taken, and nothing is
   * left of a stream that fails.
   * @throws {AppError} what the three throw; not_found, conflict or unprocessable, when there can be no such task
   */
  receive(principal: Principal, delivery: Delivery): Promise<{ upload: Upload; task: Task | undefined }>
  /** @throws {AppError} not_found */
  get(principal: Principal, id: string): Promise<Upload>
  list(principal: Principal, page: Page): Promise<Upload[]>
  /** @throws {AppError} not_found; conflict, while a task needs it */
  remove(principal: Principal, id: string): Promise<void>
}

export function createUploads(deps: IngestDeps): Uploads {
  const { catalog, blobs, limits, now, log } = deps

  const tooLarge = () =>
    new AppError(
      'too_large',
      `The upload is larger than ${limits.maxUpload} bytes (ROWMILL_MAX_UPLOAD). Split the file.`,
    )

  /** Bytes that may still come in on top of what an upload holds. */
  async function allowance(held: number, size: number): Promise<number> {
    if (held + size > limits.maxUpload) throw tooLarge()
    const free = (await blobs.free()) - limits.diskReserve
    if (free <= 0 || size > free) throw full()
    return Math.min(limits.maxUpload - held, free)
  }

  const uploads: Uploads = {
    async begin(principal, { name, size = 0, id = newId(now()) }) {
      checkName(name)
      await allowance(0, size)
      return catalog.createUpload({ id, owner: principal.id, name })
    },

    async append(principal, id, { n, source }) {
      const { state } = await uploads.get(principal, id)
      if (state !== 'open') throw new AppError('conflict', `Upload ${id} is ${state}; it takes no more bytes.`)
      const others = (await catalog.parts(id)).filter((part) => part.n !== n)
      const held = bytesOf(others)
      const maxBytes = await allowance(held, 0)
      // A part may be sent twice, even at once: each sending has a key of its own, and the catalog says which one counts.
      const blob = `${folderOf(id)}/${n}-${newId(now())}`
      try {
        const part = { upload: id, n, blob, ...(await blobs.put(blob, source, { maxBytes })) }
        await catalog.addPart(part)
        return part
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'too_large') throw error
        throw held + maxBytes < limits.maxUpload ? full() : tooLarge()
      }
    },

    async complete(principal, id, task) {
      await uploads.get(principal, id)
      const parts = await catalog.parts(id)
      const [only] = parts
      const sha256 = parts.length === 1 && only !== undefined ? only.sha256 : null
      const upload = await catalog.completeUpload(id, { bytes: bytesOf(parts), sha256 }, task)
      if (task !== undefined) await ring(deps, task.id)
      return upload
    },

    async receive(principal, { name, source, size, run, corrects }) {
      const id = newId(now())
      const file = { upload: id, name }
      const task =
        corrects !== undefined
          ? await newCorrection(deps, principal, corrects, file)
          : run && newTask(deps, principal, run, [file])
      await uploads.begin(principal, { name, size, id })
      try {
        await uploads.append(principal, id, { n: 1, source })
        const upload = await uploads.complete(principal, id, task)
        return { upload, task: task === undefined ? undefined : await catalog.getTask(task.id) }
      } catch (error) {
        await discard(id)
        throw error
      }
    },

    get: (principal, id) => findUpload(catalog, principal, id),

    list: (principal, page) => catalog.listUploads(principal.id, page),

    async remove(principal, id) {
      await uploads.get(principal, id)
      await catalog.deleteUpload(id)
      await blobs.delete(`${folderOf(id)}/`)
    },
  }

  /** The stream's own error matters more than what keeps us from tidying up; a sweep finds the rest. */
  async function discard(id: string): Promise<void> {
    try {
      await catalog.deleteUpload(id)
      await blobs.delete(`${folderOf(id)}/`)
    } catch (err) {
      log.warn({ err, upload: id }, 'could not remove what is left of a failed upload')
    }
  }

  return uploads
}

function folderOf(id: string): string {
  return `uploads/${id}`
}

function full(): AppError {
  return new AppError(
    'full',
    'Too little disk space is left for this upload (ROWMILL_DISK_RESERVE). Delete uploads that are no longer needed.',
  )
}

/** Any text is kept as it was given, but for what would write on somebody's terminal. */
function checkName(name: string): void {
  if (name === '' || name.length > maxNameLength || /\p{Cc}/u.test(name)) {
    throw new AppError(
      'invalid',
      `The upload's name must have 1 to ${maxNameLength} characters and no control characters. Give another with ?name=.`,
    )
  }
}

function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.bytes, 0)
}
