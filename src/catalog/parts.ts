/** The ledger of parts: what is durable of an upload, and which blobs hold it. One blob may be a part of several uploads. */
import type { Kysely, RawBuilder, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Part } from '../model.ts'
import type { Keeping, NewPart } from '../ports.ts'
import { later } from './later.ts'
import { take, takenBy } from './quotas.ts'
import type { Tables, UploadRow } from './tables.ts'

/**
 * Records a part of an upload that is locked and open.
 * @returns the blobs that nothing names any more.
 */
export async function addPart(
  trx: Transaction<Tables>,
  upload: UploadRow,
  part: NewPart,
  now: RawBuilder<number>,
  keeping: Keeping,
): Promise<string[]> {
  const { id, owner, comes, bytes: held, size } = upload
  if (comes === 'in order' && part.offset !== held) throw elsewhere(upload, part.offset)
  const n = part.n ?? (await nextNumber(trx, upload, part))
  const before = await trx
    .selectFrom('parts')
    .selectAll()
    .where('upload', '=', id)
    .where('n', '=', n)
    .executeTakeFirst()
  const bytes = held - (before?.bytes ?? 0) + part.bytes
  if (bytes > (part.most ?? bytes)) {
    throw new AppError('too_large', `Upload ${id} would be larger than ${part.most} bytes (ROWMILL_MAX_UPLOAD).`)
  }
  if (size !== null && bytes > size) {
    throw new AppError('too_large', `Upload ${id} was announced with ${size} bytes, and these would make it ${bytes}.`)
  }
  await take(trx, owner, takenBy({ ...upload, bytes }) - takenBy(upload), keeping)
  const replaced = before === undefined ? [] : await dropParts(trx, [before])
  const outdated = await takeOver(trx, part)
  const { blob, sha256 } = part
  await trx.insertInto('parts').values({ upload: id, n, blob, bytes: part.bytes, sha256 }).execute()
  await trx
    .updateTable('uploads')
    .set({ bytes, expires_at: later(now, keeping.incompleteMs) })
    .where('id', '=', id)
    .execute()
  return [...replaced, ...outdated]
}

/** Takes records out; the blobs that nothing names any more. */
export async function dropParts(trx: Transaction<Tables>, parts: readonly Part[]): Promise<string[]> {
  for (const { upload, n } of parts) {
    await trx.deleteFrom('parts').where('upload', '=', upload).where('n', '=', n).execute()
  }
  const blobs = [...new Set(parts.map(({ blob }) => blob))]
  if (blobs.length === 0) return []
  const named = await trx.selectFrom('parts').select('blob').where('blob', 'in', blobs).execute()
  return blobs.filter((blob) => !named.some((part) => part.blob === blob))
}

/** A piece that comes again without a number is the one that it was; any other is the first that is missing. */
async function nextNumber(trx: Transaction<Tables>, { id, comes, pieces }: UploadRow, part: NewPart): Promise<number> {
  const { last } = await trx
    .selectFrom('parts')
    .select((column) => column.fn.max('n').as('last'))
    .where('upload', '=', id)
    .executeTakeFirstOrThrow()
  if (comes === 'in order') return (last ?? 0) + 1
  const same = await trx
    .selectFrom('parts')
    .select('n')
    .where('upload', '=', id)
    .where('sha256', '=', part.sha256)
    .where('bytes', '=', part.bytes)
    .executeTakeFirst()
  if (same !== undefined) return same.n
  return pieces === null || last < pieces ? (last ?? 0) + 1 : await firstMissing(trx, id)
}

async function firstMissing(trx: Transaction<Tables>, upload: string): Promise<number> {
  const parts = await trx.selectFrom('parts').select('n').where('upload', '=', upload).orderBy('n').execute()
  const at = parts.findIndex(({ n }, i) => n !== i + 1)
  return at < 0 ? parts.length + 1 : at + 1
}

/**
 * All parts with these bytes name the new blob from now on: it has just been seen whole, and the older ones may have been
 * damaged since.
 * @returns the older ones.
 */
async function takeOver(trx: Transaction<Tables>, { blob, bytes, sha256 }: NewPart): Promise<string[]> {
  const same = trx.selectFrom('parts').select('blob').where('sha256', '=', sha256).where('bytes', '=', bytes)
  const older = (await same.distinct().execute()).map((part) => part.blob)
  if (older.length > 0) await trx.updateTable('parts').set({ blob }).where('blob', 'in', older).execute()
  return older
}

export async function missingPieces(
  db: Kysely<Tables>,
  { id, pieces }: Pick<UploadRow, 'id' | 'pieces'>,
): Promise<number | null> {
  if (pieces === null) return null
  const { count } = await db
    .selectFrom('parts')
    .select((column) => column.fn.countAll<number>().as('count'))
    .where('upload', '=', id)
    .executeTakeFirstOrThrow()
  return pieces - count
}

function elsewhere({ id, bytes }: UploadRow, offset: number | undefined): AppError {
  return new AppError('conflict', `Upload ${id} ends at byte ${bytes}, not at ${offset}. Go on from there.`, {
    details: { offset: bytes },
  })
}

/** In their order. */
export async function partsOf(db: Kysely<Tables>, upload: string): Promise<Part[]> {
  return await db.selectFrom('parts').selectAll().where('upload', '=', upload).orderBy('n').execute()
}
