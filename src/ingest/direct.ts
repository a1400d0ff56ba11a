/**
 * Pieces that clients put into the store themselves. A URL can be used again until its time is up, so what stands there
 * becomes a part of the upload only as a copy, which comes in by the same door as every other piece.
 */
import type { DirectBlobs } from '../direct.ts'
import { AppError } from '../errors.ts'
import { directKey, type Upload } from '../model.ts'
import { releasing } from '../release.ts'
import type { IngestDeps } from './deps.ts'
import { type Pieces, refuseBeyond } from './pieces.ts'
import type { Storage } from './storage.ts'

/** Where to PUT a piece, and until when (milliseconds since 1970). */
export interface Offer {
  readonly url: string
  readonly expiresAt: number
}

/** A piece that was put there. */
export interface DirectPiece {
  readonly n: number
  /** What its bytes must hash to, in hex. */
  readonly sha256?: string | undefined
}

export interface DirectPieces {
  /** @throws {AppError} unprocessable, where the store has no such URLs; invalid (the number) */
  offer(open: Upload, n: number): Promise<Offer>
  /**
   * Takes a piece that was put; the last of a known number completes the upload. The same again, once it is taken, whether
   * the upload is open or complete.
   * @throws {AppError} unprocessable; invalid; conflict, when there is nothing; and what `Pieces.put` throws: nothing of
   *   the piece stays then.
   */
  take(upload: Upload, piece: DirectPiece): Promise<Upload>
}

/** From the signature to the beginning of the request: a piece that has begun to come may take as long as it likes. */
const offerSeconds = 3600

export function createDirectPieces(
  { catalog, blobs, now }: IngestDeps,
  storage: Storage,
  pieces: Pieces,
): DirectPieces {
  return {
    async offer(open, n) {
      const direct = directly(blobs.direct)
      refuseBeyond(open, n)
      await catalog.keepUpload(open.id)
      const expiresAt = now() + offerSeconds * 1000
      return { url: await direct.upload(directKey(open.id, n), offerSeconds), expiresAt }
    },

    async take(upload, piece) {
      const direct = directly(blobs.direct)
      refuseBeyond(upload, piece.n)
      if (upload.state === 'complete') return await taken(upload, piece)
      const blob = directKey(upload.id, piece.n)
      try {
        const recorded = await storage.orRemove({ blob }, () => copy(direct, upload, piece))
        await storage.remove([blob])
        return recorded
      } catch (error) {
        // Nothing was put, or it was taken already, maybe at this very moment.
        if (!(error instanceof AppError) || error.code !== 'not_found') throw error
        return await taken(upload, piece)
      }
    },
  }

  async function copy(direct: DirectBlobs, open: Upload, { n, sha256 }: DirectPiece): Promise<Upload> {
    const key = directKey(open.id, n)
    const { bytes } = await direct.stat(key)
    const [before] = await catalog.parts(open.id, n)
    await storage.admitPiece(open, bytes, before?.bytes ?? 0)
    const told = sha256 === undefined ? [] : [sha256]
    return await pieces.put(open, { source: bytesOf(key), n, told: () => told })
  }

  /** Opened only when it is read: who never gets so far has nothing to close. */
  async function* bytesOf(key: string): AsyncGenerator<Uint8Array> {
    yield* releasing(await blobs.read(key))
  }

  /** The upload, when it has the piece: an answer may have been lost. */
  async function taken({ id, state }: Upload, { n, sha256 }: DirectPiece): Promise<Upload> {
    const [part] = await catalog.parts(id, n)
    const upload = await catalog.getUpload(id)
    if (upload !== undefined && part !== undefined && (sha256 ?? part.sha256) === part.sha256) return upload
    if (state === 'complete') throw new AppError('conflict', `Upload ${id} is complete; it takes no more bytes.`)
    throw new AppError(
      'conflict',
      `Nothing was put at the URL of piece ${n} of upload ${id} yet. Put the bytes there first, then say so again.`,
    )
  }
}

/** @throws {AppError} unprocessable */
function directly(direct: DirectBlobs | undefined): DirectBlobs {
  if (direct !== undefined) return direct
  throw new AppError(
    'unprocessable',
    'The store of this service has no URLs that pieces could be put at (directUploads of /v1/limits). PUT them to /parts/NUMBER.',
  )
}
