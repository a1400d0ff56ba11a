/** The ledger of parts: what is durable of an upload. */
import type { Kysely, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import { checkOffset, mostParts, type Part } from '../model.ts'
import type { Keeping, NewPart } from '../entries.ts'
import { batches } from './batches.ts'
import type { Database } from './database.ts'
import { dropContents, putContent } from './contents.ts'
import { keptFor } from './later.ts'
import { take, takenBy } from './quotas.ts'
import type { Tables, UploadRow } from './tables.ts'

/**
 * Records a part of an upload that is locked and open.
 * @returns the blobs that nothing names any more.
 */
export async function addPart(
  trx: Transaction<Tables>,
  database: Database,
  upload: UploadRow,
  part: NewPart,
  keeping: Keeping,
): Promise<string[]> {
  const { id, owner, comes, bytes: held, size, pieces } = upload
  if (comes !== 'in pieces') checkOffset(upload, part.offset)
  const n = part.n ?? (await nextNumber(trx, upload, part))
  if (n > (pieces ?? mostParts)) {
    throw new AppError('conflict', `Upload ${id} has ${pieces ?? mostParts} parts at most. Complete it.`)
  }
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
  await take(trx, database, owner, takenBy({ ...upload, bytes }) - takenBy(upload), keeping)
  if (before !== undefined) await trx.deleteFrom('parts').where('upload', '=', id).where('n', '=', n).execute()
  await trx.insertInto('parts').values({ upload: id, n, bytes: part.bytes, sha256: part.sha256 }).execute()
  const older = await putContent(trx, database, part)
  const replaced = before === undefined ? [] : await dropContents(trx, database, [before])
  await trx
    .updateTable('uploads')
    .set({ bytes, expires_at: keptFor(database, keeping.incompleteMs) })
    .where('id', '=', id)
    .execute()
  return [...older, ...replaced]
}

/** Takes parts of an upload out; the blobs that nothing names any more. */
export async function dropParts(
  trx: Transaction<Tables>,
  database: Database,
  upload: string,
  parts: readonly Part[],
): Promise<string[]> {
  for (const some of batches(parts.map(({ n }) => n))) {
    await trx.deleteFrom('parts').where('upload', '=', upload).where('n', 'in', some).execute()
  }
  return await dropContents(trx, database, parts)
}

/** A piece that comes again without a number is the one that it was; any other is the first that is missing. */
async function nextNumber(trx: Transaction<Tables>, { id, comes, pieces }: UploadRow, part: NewPart): Promise<number> {
  const { last } = await trx
    .selectFrom('parts')
    .select((column) => column.fn.max('n').as('last'))
    .where('upload', '=', id)
    .executeTakeFirstOrThrow()
  if (comes !== 'in pieces') return (last ?? 0) + 1
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

/** In their order; only the one of a number, where it is given. */
export async function partsOf(db: Kysely<Tables>, upload: string, n?: number): Promise<Part[]> {
  const query = db
    .selectFrom('parts')
    .innerJoin('contents', (join) =>
      join.onRef('contents.sha256', '=', 'parts.sha256').onRef('contents.bytes', '=', 'parts.bytes'),
    )
    .select(['parts.upload', 'parts.n', 'contents.blob', 'parts.bytes', 'parts.sha256'])
    .where('parts.upload', '=', upload)
    .orderBy('parts.n')
  return await (n === undefined ? query : query.where('parts.n', '=', n)).execute()
}
