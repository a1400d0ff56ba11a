/** Uploads that come in order, stretch by stretch: each is recorded where the upload ends, and nowhere else. */
import { interruptible } from '../interruptible.ts'
import { checkOffset, type Upload } from '../model.ts'
import { arrive } from './arrival.ts'
import { type Checksum, hashing, refuseOtherBytes } from './checksums.ts'
import type { IngestDeps } from './deps.ts'
import type { Finish } from './finish.ts'
import { screened } from './screen.ts'
import type { Storage, Stored } from './storage.ts'

export interface Stretch {
  readonly source: AsyncIterable<Uint8Array>
  /** Where it begins. */
  readonly offset: number
  /** Then it is taken whole or not at all. */
  readonly checksum?: Checksum | undefined
}

/**
 * Appends to an open upload, in parts of their own, so that little is lost with a process that dies.
 * @param signal fires when somebody else goes on with the upload: what has come is recorded then.
 */
export type Append = (open: Upload, stretch: Stretch, signal: AbortSignal) => Promise<Upload>

export function createAppend({ catalog, limits }: IngestDeps, storage: Storage, finish: Finish): Append {
  async function record(upload: Upload, stored: Stored): Promise<Upload> {
    if (stored.bytes === 0) {
      await storage.remove([stored.blob])
      return upload
    }
    const part = { ...stored, upload: upload.id, offset: upload.bytes }
    return await storage.orRemove(stored, async () => {
      if (part.offset + part.bytes === upload.size) return await finish(upload, part)
      const recorded = await catalog.addPart(part)
      await storage.remove(recorded.unused)
      return recorded.upload
    })
  }

  return async (open, { source, offset, checksum }, signal) => {
    checkOffset(open, offset)
    const coming = interruptible(source, signal)
    const { bytes, digests } = hashing(
      offset === 0 ? screened(coming, open.name) : coming,
      checksum === undefined ? [] : [checksum.algorithm],
    )
    await using arrival = arrive(bytes)
    const most = checksum === undefined ? limits.segment : Number.POSITIVE_INFINITY
    let upload = open
    while (!arrival.isOver && upload.state === 'open') {
      const left = upload.size === null ? undefined : upload.size - upload.bytes
      // One byte more than there may be shows that there are too many.
      const stretch = arrival.take(left !== undefined && left <= most ? left + 1 : most)
      const stored = await storage.put(upload, stretch, upload.bytes, left)
      if (checksum !== undefined) {
        await storage.orRemove(stored, async () => {
          if (arrival.broken !== undefined) throw arrival.broken
          refuseOtherBytes(checksum, digests().get(checksum.algorithm) ?? Buffer.alloc(0))
        })
      }
      upload = await record(upload, stored)
    }
    if (arrival.broken !== undefined) throw arrival.broken
    return upload.state === 'open' && upload.size === upload.bytes ? await finish(upload) : upload
  }
}
