import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Order, Part, Upload } from '../model.ts'
import type { NewReceipt, Page } from '../entries.ts'
import { refuseOthers, sha256Of } from './checksums.ts'
import type { IngestDeps } from './deps.ts'
import { createDirectPieces, type DirectPiece, type Offer } from './direct.ts'
import { findSet, findUpload } from './find.ts'
import { createFinish, type Received, receivedOf } from './finish.ts'
import { once } from './keys.ts'
import { checkWish, type Wish } from './orders.ts'
import { createPieces, type Piece } from './pieces.ts'
import { screened } from './screen.ts'
import { createStorage } from './storage.ts'
import { createAppend, type Stretch } from './stretches.ts'
import { createTake, type Take } from './take.ts'
import { createTakeovers } from './takeover.ts'

export const maxNameLength = 255

/** What is known of a file before it comes, and what is to become of it. */
export interface NewFile {
  readonly name: string
  /** Bytes announced; undefined when nobody knows. */
  readonly size?: number | undefined
  /** What the whole must hash to, in hex. */
  readonly sha256?: string | undefined
  readonly wish?: Wish | undefined
  /** The set it belongs to: by its id, and its number there; or by a name, with the number of files where that is known. */
  readonly set?:
    | { readonly id: string; readonly number?: number | undefined }
    | { readonly name: string; readonly files?: number | undefined }
    | undefined
}

/** A file that comes in one stream. */
export interface Delivery extends NewFile, Pick<Piece, 'source' | 'told'> {}

export interface Uploads {
  /**
   * @param key the client's Idempotency-Key.
   * @throws {AppError} invalid (the name), too_large, full; what there can be no task for
   */
  begin(principal: Principal, file: NewFile & Partial<Pick<Upload, 'comes' | 'pieces'>>, key?: string): Promise<Upload>
  /**
   * Stores a stretch of an upload that comes in order; what has come of it is durable and recorded once it resolves, or
   * rejects since the rest did not come. When it is the last, the upload is complete then.
   * @throws {AppError} not_found, gone, conflict (it does not begin where the upload ends), checksum, too_large, full,
   *   rejected (it is no text)
   */
  append(principal: Principal, id: string, stretch: Stretch): Promise<Upload>
  /**
   * Stores a piece of an upload that comes in pieces; it is durable and recorded once it resolves. When it is the last of a
   * known number, the upload is complete then.
   * @throws {AppError} not_found, gone, conflict, invalid (its number), checksum, too_large, full, rejected
   */
  putPiece(principal: Principal, id: string, piece: Piece): Promise<Upload>
  /**
   * Where a client may put a piece itself, into the store.
   * @throws {AppError} not_found, gone, conflict, invalid (its number), unprocessable (the store has no such place)
   */
  offerPiece(principal: Principal, id: string, n: number): Promise<Offer>
  /**
   * Takes a piece that was put there; then it is as if it had come by `putPiece`.
   * @throws {AppError} what the two throw; conflict, when nothing was put
   */
  takePiece(principal: Principal, id: string, piece: DirectPiece): Promise<Upload>
  /**
   * Closes the upload and creates its task, if any, in one transaction; the bell rings after. The same again, once it is
   * complete.
   * @throws {AppError} not_found, gone, conflict (something is missing), checksum, rejected
   */
  complete(principal: Principal, id: string): Promise<Received>
  /**
   * All three for one stream. Everything that can be refused is refused before the first byte is taken, and nothing is
   * left of a stream that fails.
   * @throws {AppError} what the three throw
   */
  receive(principal: Principal, delivery: Delivery, key?: string): Promise<Received>
  /** The same for a file that lies somewhere, and for which nobody waits. */
  take: Take
  /** @throws {AppError} not_found */
  get(principal: Principal, id: string): Promise<Upload>
  /**
   * Where an upload is to go on; whoever was at it is cut off.
   * @throws {AppError} not_found, gone
   */
  resume(principal: Principal, id: string): Promise<Upload>
  /** @throws {AppError} not_found */
  parts(principal: Principal, id: string): Promise<Part[]>
  list(principal: Principal, page: Page): Promise<Upload[]>
  /** @throws {AppError} not_found; conflict, while a task needs it */
  remove(principal: Principal, id: string): Promise<void>
}

export function createUploads(deps: IngestDeps): Uploads {
  const { catalog, now, log } = deps
  const storage = createStorage(deps)
  const finish = createFinish(deps, storage)
  const append = createAppend(deps, storage, finish)
  const pieces = createPieces(deps, storage, finish)
  const directPieces = createDirectPieces(deps, storage, pieces)
  const takeovers = createTakeovers()

  async function begin(
    principal: Principal,
    { name, size, sha256, wish, set, comes = 'in order', pieces: count = null }: Parameters<Uploads['begin']>[1],
    receipt?: NewReceipt,
  ): Promise<Upload> {
    checkName(name)
    const asked = wish && (await checkWish(deps, principal, wish, { name, isAlone: set === undefined }))
    const order = asked ?? (await numbered(principal, set))
    await storage.admit(0, size ?? 0)
    const wanted = {
      id: newId(now()),
      owner: principal.id,
      name,
      size: size ?? null,
      comes,
      pieces: count,
      claimedSha256: sha256 ?? null,
      order,
      set: set && (await setOf(principal, set, asked)),
    }
    return await catalog.createUpload(wanted, receipt)
  }

  /** What is done with each file of a folder, with this one's number. */
  async function numbered(principal: Principal, set: NewFile['set']): Promise<Order | null> {
    if (set === undefined || !('id' in set) || set.number === undefined) return null
    const { order } = await findSet(catalog, principal, set.id)
    return order && { ...order, number: set.number }
  }

  async function setOf(principal: Principal, set: NonNullable<NewFile['set']>, order: Order | null = null) {
    if ('id' in set) return { id: (await findSet(catalog, principal, set.id)).id, order }
    checkName(set.name, 'set')
    return { id: newId(now()), name: set.name, order, files: set.files ?? null }
  }

  async function receive(
    principal: Principal,
    { source, told, ...file }: Delivery,
    receiptOf: (sha256: string) => NewReceipt | undefined,
  ): Promise<Received> {
    const begun = await begin(principal, { ...file, comes: 'at once' })
    const take = async () => {
      const stored = await storage.put(begun, screened(source, file.name), 0)
      return await storage.orRemove(stored, async () => {
        refuseOthers(told?.() ?? [], stored.sha256)
        return await finish(begun, { ...stored, upload: begun.id, offset: 0 }, receiptOf(stored.sha256))
      })
    }
    const upload = await take().catch(async (error: unknown) => {
      await discard(begun.id)
      throw error
    })
    return await receivedOf(deps, upload)
  }

  /** The stream's own error matters more than what keeps us from tidying up; what is left expires. */
  async function discard(id: string): Promise<void> {
    try {
      // Its end may have been recorded, and only the answer have failed.
      if ((await catalog.getUpload(id))?.state !== 'open') return
      await storage.remove(await catalog.deleteUpload(id))
    } catch (err) {
      log.warn({ err, upload: id }, 'could not remove what is left of a failed upload')
    }
  }

  const uploads: Uploads = {
    begin: (principal, file, key) =>
      once(deps, principal, key, {
        work: (receiptOf) => begin(principal, file, receiptOf({ begin: file })),
        replay: async ({ upload }, check) => {
          check({ begin: file })
          return refuseGone(await findUpload(catalog, principal, upload ?? ''))
        },
      }),

    async append(principal, id, stretch) {
      refuseOther(await uploads.get(principal, id), 'in order')
      return await takeovers.run(id, async (signal) => {
        return await append(refuseClosed(await uploads.get(principal, id)), stretch, signal)
      })
    },

    async putPiece(principal, id, piece) {
      const found = refuseOther(await uploads.get(principal, id), 'in pieces')
      return found.state === 'complete' ? pieces.repeat(found, piece) : pieces.put(refuseClosed(found), piece)
    },

    async offerPiece(principal, id, n) {
      return await directPieces.offer(refuseClosed(refuseOther(await uploads.get(principal, id), 'in pieces')), n)
    },

    async takePiece(principal, id, piece) {
      return await directPieces.take(refuseGone(refuseOther(await uploads.get(principal, id), 'in pieces')), piece)
    },

    async complete(principal, id) {
      refuseAtOnce(await uploads.get(principal, id))
      await takeovers.cut(id)
      const found = await uploads.get(principal, id)
      const upload = found.state === 'complete' ? found : await finish(refuseClosed(found))
      return await receivedOf(deps, upload)
    },

    receive(principal, delivery, key) {
      // How it is framed makes no other request of it.
      const { source, told, size: _size, ...file } = delivery
      return once(deps, principal, key, {
        work: (receiptOf) => receive(principal, delivery, (sha256) => receiptOf({ ...file, sha256 })),
        replay: async ({ upload }, check) => {
          const sha256 = await sha256Of(source, deps.limits.maxUpload)
          check({ ...file, sha256 })
          refuseOthers([told?.() ?? [], file.sha256 ?? []].flat(), sha256)
          return await receivedOf(deps, refuseGone(await findUpload(catalog, principal, upload ?? '')))
        },
      })
    },

    take: createTake(deps, receive),

    get: (principal, id) => findUpload(catalog, principal, id),

    async resume(principal, id) {
      refuseAtOnce(await uploads.get(principal, id))
      await takeovers.cut(id)
      const upload = await uploads.get(principal, id)
      if (upload.state === 'complete') return upload
      const open = refuseClosed(upload)
      // One of no bytes has all of them, and may have been left so.
      const isWhole = open.comes === 'in order' && open.size === open.bytes
      return isWhole ? await finish(open) : open
    },

    async parts(principal, id) {
      await uploads.get(principal, id)
      return await catalog.parts(id)
    },

    list: (principal, page) => catalog.listUploads(principal.id, page),

    async remove(principal, id) {
      await uploads.get(principal, id)
      await takeovers.cut(id)
      await storage.remove(await catalog.deleteUpload(id))
    },
  }

  return uploads
}

/** @throws {AppError} gone, conflict */
function refuseClosed(upload: Upload): Upload {
  const { id, state } = refuseGone(upload)
  if (state === 'complete') throw new AppError('conflict', `Upload ${id} is complete; it takes no more bytes.`)
  return upload
}

/** @throws {AppError} gone */
function refuseGone(upload: Upload): Upload {
  const { id, state } = upload
  if (state === 'open' || state === 'complete') return upload
  throw new AppError('gone', `Upload ${id} is ${state}, and its bytes are gone. Begin another one.`)
}

/** @throws {AppError} conflict, for one that is its request's until the end of that. */
function refuseAtOnce(upload: Upload): Upload {
  const { id, comes, state } = upload
  if (comes !== 'at once' || state !== 'open') return upload
  throw new AppError(
    'conflict',
    `Upload ${id} comes in one request, and is complete when that ends. If it has broken off, send the file again.`,
  )
}

/** @throws {AppError} conflict, when it comes in another way. */
function refuseOther(upload: Upload, comes: Upload['comes']): Upload {
  if (refuseAtOnce(upload).comes === comes) return upload
  const how = comes === 'in order' ? 'PUT its pieces to /parts/NUMBER' : 'PATCH it from where it ends'
  throw new AppError('conflict', `Upload ${upload.id} comes ${upload.comes}. ${how}.`)
}

/** Any text is kept as it was given, but for what would write on somebody's terminal. */
function checkName(name: string, what = 'upload'): void {
  if (name === '' || name.length > maxNameLength || /\p{Cc}/u.test(name)) {
    throw new AppError(
      'invalid',
      `The ${what}'s name must have 1 to ${maxNameLength} characters and no control characters. Give another one.`,
    )
  }
}
