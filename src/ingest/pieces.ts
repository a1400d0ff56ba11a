/** Uploads that come in pieces, under numbers, in any order: each is taken whole or not at all. */
import { AppError } from '../errors.ts'
import type { Upload } from '../model.ts'
import { refuseOthers, sha256Of } from './checksums.ts'
import type { IngestDeps } from './deps.ts'
import type { Finish } from './finish.ts'
import { screened } from './screen.ts'
import type { Storage } from './storage.ts'

export interface Piece {
  readonly source: AsyncIterable<Uint8Array>
  /** Its number, from 1; without one it is the next, or the one with the same bytes. */
  readonly n?: number | undefined
  /** What its bytes must hash to, in hex; asked at their end, since it may be told behind them. */
  readonly told?: (() => readonly string[]) | undefined
}

export interface Pieces {
  /** Adds a piece to an open upload; the last of a known number completes it. */
  put(open: Upload, piece: Piece): Promise<Upload>
  /**
   * A piece that comes once more after the last one, since its answer was lost, is none too many.
   * @throws {AppError} conflict, for any other
   */
  repeat(complete: Upload, piece: Piece): Promise<Upload>
}

export function createPieces({ catalog, limits }: IngestDeps, storage: Storage, finish: Finish): Pieces {
  return {
    async put(open, { source, n, told }) {
      if (n !== undefined) refuseBeyond(open, n)
      const isFirst = n === 1 || (n === undefined && open.bytes === 0)
      // What it replaces is not known before it is there; the ledger adds up.
      const stored = await storage.put(open, isFirst ? screened(source, open.name) : source, 0)
      const recorded = await storage.orRemove(stored, async () => {
        refuseOthers(told?.() ?? [], stored.sha256)
        return await catalog
          .addPart({ ...stored, upload: open.id, n, most: limits.maxUpload })
          .catch(async (error: unknown) => {
            // Others may have completed it meanwhile, with this very piece among theirs.
            const isLate = error instanceof AppError && error.code === 'conflict'
            const upload = isLate ? await catalog.getUpload(open.id) : undefined
            if (upload?.state !== 'complete' || !(await holds(upload, n, stored.sha256))) throw error
            return { upload, unused: [stored.blob], missing: null }
          })
      })
      await storage.remove(recorded.unused)
      return recorded.missing === 0 ? await finish(recorded.upload) : recorded.upload
    },

    async repeat(complete, { source, n, told }) {
      const sha256 = await sha256Of(source, limits.maxUpload)
      refuseOthers(told?.() ?? [], sha256)
      if (await holds(complete, n, sha256)) return complete
      throw new AppError('conflict', `Upload ${complete.id} is complete; it takes no more bytes.`)
    },
  }

  async function holds({ id }: Upload, n: number | undefined, sha256: string): Promise<boolean> {
    const parts = await catalog.parts(id, n)
    return parts.some((part) => part.sha256 === sha256)
  }
}

/** @throws {AppError} invalid, for the number of a piece that there will not be. */
export function refuseBeyond({ id, pieces }: Upload, n: number): void {
  if (pieces === null || n <= pieces) return
  throw new AppError('invalid', `Upload ${id} is of ${pieces} pieces; there is none of number ${n}.`)
}
