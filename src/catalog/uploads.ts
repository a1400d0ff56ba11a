import type { Kysely, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Upload, UploadState } from '../model.ts'
import type { Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { batches } from './batches.ts'
import { namedBlobs } from './contents.ts'
import { keptFor } from './later.ts'
import { addPart, missingPieces, partsOf } from './parts.ts'
import { uploadOf } from './nouns.ts'
import { roomFor, take, takenBy } from './quotas.ts'
import { settle } from './receipts.ts'
import { joinSet } from './sets.ts'
import { type Database, transact } from './database.ts'
import type { Tables, UploadRow } from './tables.ts'

type Uploads = Pick<
  Catalog,
  | 'createUpload'
  | 'getUpload'
  | 'listUploads'
  | 'addPart'
  | 'parts'
  | 'room'
  | 'keepUpload'
  | 'recordSha256'
  | 'partBlobs'
>

export function uploads(database: Database, keeping: Keeping): Uploads {
  const { db, now } = database
  return {
    createUpload: ({ set, ...upload }, receipt) =>
      transact(database, async (trx) => {
        const { id, owner, name, size = null } = upload
        const { comes = 'in order', pieces = null, claimedSha256 = null, order = null } = upload
        // There has to be room for what is announced, also where it is not reserved.
        await take(trx, database, owner, size ?? 0, keeping)
        await take(trx, database, owner, takenBy({ comes, state: 'open', bytes: 0, size }) - (size ?? 0), keeping)
        await trx
          .insertInto('uploads')
          .values({
            id,
            owner,
            name,
            state: 'open',
            comes,
            bytes: 0,
            size,
            pieces,
            joined: 'as bytes',
            claimed_sha256: claimedSha256,
            set_id: set === undefined ? null : await joinSet(trx, database, owner, set, keeping),
            task_order: order === null ? null : JSON.stringify(order),
            created_at: now,
            expires_at: keptFor(database, keeping.incompleteMs),
          })
          .execute()
        await settle(trx, database, receipt, { upload: id }, keeping)
        return await needUpload(trx, id)
      }),

    getUpload: (id) => findUpload(db, id),

    async listUploads(owner, { limit, before }) {
      let query = db.selectFrom('uploads').selectAll().where('owner', '=', owner).where('state', '!=', 'deleted')
      if (before !== undefined) query = query.where('id', '<', before)
      return (await query.orderBy('id', 'desc').limit(limit).execute()).map(uploadOf)
    },

    addPart: (part) =>
      transact(database, async (trx) => {
        const open = await holdOpen(trx, part.upload)
        const unused = await addPart(trx, database, open, part, keeping)
        return { upload: await needUpload(trx, part.upload), unused, missing: await missingPieces(trx, open) }
      }),

    parts: (upload, n) => partsOf(db, upload, n),

    room: (owner) => roomFor(db, owner, keeping),

    async keepUpload(id) {
      await db
        .updateTable('uploads')
        .set({ expires_at: keptFor(database, keeping.incompleteMs) })
        .where('id', '=', id)
        .where('state', '=', 'open')
        .execute()
    },

    async recordSha256(id, sha256) {
      await db.updateTable('uploads').set({ sha256 }).where('id', '=', id).execute()
    },

    partBlobs: (keys) => namedBlobs(db, keys),
  }
}

/**
 * Locks an open upload for the rest of the transaction.
 * @throws {AppError} not_found, conflict or gone, when it is not there or not open.
 */
export async function holdOpen(trx: Transaction<Tables>, id: string): Promise<UploadRow> {
  await holdUploads(trx, [id], 'open')
  return await needRow(trx, id)
}

/** Locks uploads, in whatever state, for the rest of the transaction. */
export async function lockUploads(trx: Transaction<Tables>, ids: readonly string[]): Promise<void> {
  for (const some of batches(ids)) {
    await trx
      .updateTable('uploads')
      .set((column) => ({ state: column.ref('state') }))
      .where('id', 'in', some)
      .execute()
  }
}

/**
 * Locks uploads in a state for the rest of the transaction.
 * @throws {AppError} not_found, conflict or gone, when one is not there or not in that state.
 */
export async function holdUploads(trx: Transaction<Tables>, ids: readonly string[], state: UploadState): Promise<void> {
  for (const some of batches([...new Set(ids)].toSorted())) {
    // An update that changes nothing is the row lock that every database has; SQLite knows no SELECT … FOR UPDATE.
    const { numUpdatedRows } = await trx
      .updateTable('uploads')
      .set({ state })
      .where('id', 'in', some)
      .where('state', '=', state)
      .executeTakeFirst()
    if (numUpdatedRows === BigInt(some.length)) continue
    for (const id of some) {
      const upload = await needUpload(trx, id)
      if (upload.state !== state) throw notIn(state, upload)
    }
  }
}

/** The error for an upload that is not in the state it has to be in. */
function notIn(state: UploadState, { id, name, state: found }: Upload): AppError {
  if (found === 'expired' || found === 'deleted') {
    const how = found === 'expired' ? 'has expired' : 'was deleted'
    return new AppError('gone', `Upload ${id} (${name}) ${how}, and its bytes are gone. Send the file again.`)
  }
  return new AppError('conflict', `Upload ${id} (${name}) is ${found}, not ${state}.`)
}

async function findUpload(db: Kysely<Tables>, id: string): Promise<Upload | undefined> {
  const row = await db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : uploadOf(row)
}

export async function needRow(db: Kysely<Tables>, id: string): Promise<UploadRow> {
  return await db
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow(() => new AppError('not_found', `There is no upload ${id}.`))
}

/** @throws {AppError} not_found */
export async function needUpload(db: Kysely<Tables>, id: string): Promise<Upload> {
  return uploadOf(await needRow(db, id))
}
