/** Bytes on their way into blobs: no more of them than are allowed, and never the disk's last. */
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import { type Upload, uploadsPrefix } from '../model.ts'
import type { NewPart } from '../entries.ts'
import type { IngestDeps } from './deps.ts'

export type Stored = Pick<NewPart, 'blob' | 'bytes' | 'sha256'>

export interface Storage {
  /** @throws {AppError} too_large or full, when so many bytes may not come in on top of those that an upload holds */
  admit(held: number, more: number): Promise<void>
  /**
   * The same for a piece that is known by its size only, and by everything else that limits an upload.
   * @param replaced bytes of it that the upload has already.
   * @throws {AppError} too_large, full
   */
  admitPiece(upload: Upload, bytes: number, replaced: number): Promise<void>
  /**
   * Stores a stream as a blob of its own; durable once it resolves.
   * @param held bytes that the upload has already.
   * @param most that may come; fewer than the limits allow, where more was not announced.
   * @throws {AppError} too_large, full; what the source throws. Nothing is left of what failed.
   */
  put(upload: Upload, source: AsyncIterable<Uint8Array>, held: number, most?: number): Promise<Stored>
  /** Does what is to be done with a blob. When that is refused, the blob is removed. */
  orRemove<T>(stored: Pick<Stored, 'blob'>, work: () => Promise<T>): Promise<T>
  /** Removes blobs that nothing names any more. What cannot be removed now is found by a sweep. */
  remove(blobs: readonly string[]): Promise<void>
}

/** The room that is left is looked at anew after so many bytes. */
const guardBytes = 64 << 20

/** So often it is noted that bytes are still coming: several times in the least that `KEEP_INCOMPLETE` may be. */
const keepMs = 60_000

export function createStorage({
  catalog,
  blobs,
  limits,
  now,
  log,
}: Pick<IngestDeps, 'catalog' | 'blobs' | 'limits' | 'now' | 'log'>): Storage {
  /** What was left at the last look, and until the next one; less what has come since, through any door. */
  let left = 0
  let unseen = 0

  async function look(): Promise<number> {
    left = (await blobs.free()) - limits.diskReserve
    unseen = guardBytes
    return left
  }

  async function* guarded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      const { byteLength } = chunk
      if ((left < byteLength || unseen < byteLength) && (await look()) < byteLength) throw full()
      left -= byteLength
      unseen -= byteLength
      yield chunk
    }
  }

  /** Nothing expires as long as its bytes are coming, however slowly. */
  async function whileComing<T>({ id }: Pick<Upload, 'id'>, work: () => Promise<T>): Promise<T> {
    const beat = setInterval(() => {
      catalog.keepUpload(id).catch((err: unknown) => log.warn({ err, upload: id }, 'could not put off its end'))
    }, keepMs)
    try {
      return await work()
    } finally {
      clearInterval(beat)
    }
  }

  async function admit(held: number, more: number): Promise<void> {
    if (held + more > limits.maxUpload) throw tooLarge(limits.maxUpload)
    if ((await look()) <= 0 || more > left) throw full()
  }

  /** What the quotas leave for more than an upload holds: what is reserved is counted already. */
  async function room({ size, comes, owner }: Upload): Promise<number> {
    return size !== null && comes !== 'at once' ? Number.POSITIVE_INFINITY : await catalog.room(owner)
  }

  return {
    admit,

    async admitPiece(upload, bytes, replaced) {
      const held = upload.bytes - replaced
      await admit(held, bytes)
      if (upload.size !== null && held + bytes > upload.size) throw tooMuch(upload.size - held)
      if (bytes - replaced > (await room(upload))) throw overQuota()
    },

    async put(upload, source, held, most = Number.POSITIVE_INFINITY) {
      if ((await look()) <= 0) throw full()
      const allowed = Math.min(limits.maxUpload - held, most)
      // What it replaces is known only when it has come; then the ledger asks.
      const quota = (await room(upload)) + upload.bytes
      const blob = uploadsPrefix + newId(now())
      try {
        const put = () => blobs.put(blob, guarded(source), { maxBytes: Math.min(allowed, quota) })
        return { blob, ...(await whileComing(upload, put)) }
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'too_large') throw error
        if (quota < allowed) throw overQuota()
        throw most < limits.maxUpload - held ? tooMuch(most) : tooLarge(limits.maxUpload)
      }
    },

    async orRemove({ blob }, work) {
      try {
        return await work()
      } catch (error) {
        // After any other failure it may have been recorded all the same, and a sweep decides.
        const isRefused = error instanceof AppError && !['unavailable', 'internal', 'full'].includes(error.code)
        if (isRefused) await remove([blob])
        throw error
      }
    },

    remove,
  }

  async function remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await blobs.delete(key).catch((err: unknown) => log.warn({ err, key }, 'a blob was not removed'))
    }
  }
}

function tooLarge(most: number): AppError {
  return new AppError('too_large', `The upload is larger than ${most} bytes (ROWMILL_MAX_UPLOAD). Split the file.`)
}

function overQuota(): AppError {
  return new AppError(
    'too_large',
    'The quotas leave no room for so much (ROWMILL_OWNER_QUOTA, ROWMILL_QUOTA). Delete uploads that are no longer needed.',
  )
}

function tooMuch(most: number): AppError {
  return new AppError('too_large', `More came than the ${most} bytes that were still to come. Announce the whole size.`)
}

function full(): AppError {
  return new AppError(
    'full',
    'Too little disk space is left for this upload (ROWMILL_DISK_RESERVE). Delete uploads that are no longer needed.',
  )
}
