/** Which blob holds which bytes: one for all parts that have them, of whatever uploads. */
import type { Kysely, Transaction } from 'kysely'
import type { Database } from './database.ts'
import type { NewPart } from '../entries.ts'
import { batches } from './batches.ts'
import type { PartRow, Tables } from './tables.ts'

/**
 * Bytes are kept in the copy that came last: it has just been seen whole, and an older one may have been damaged since.
 * @returns the older one.
 */
export async function putContent(
  trx: Transaction<Tables>,
  database: Pick<Database, 'lock'>,
  { blob, bytes, sha256 }: Pick<NewPart, 'blob' | 'bytes' | 'sha256'>,
): Promise<string[]> {
  await holdContents(trx, database, [sha256])
  const older = await trx
    .selectFrom('contents')
    .select('blob')
    .where('sha256', '=', sha256)
    .where('bytes', '=', bytes)
    .executeTakeFirst()
  if (older === undefined) {
    await trx.insertInto('contents').values({ sha256, bytes, blob }).execute()
    return []
  }
  await trx.updateTable('contents').set({ blob }).where('sha256', '=', sha256).where('bytes', '=', bytes).execute()
  return [older.blob]
}

/** Lets go of what these parts held, that were taken out, where no other part has the same; the blobs of that. */
export async function dropContents(
  trx: Transaction<Tables>,
  database: Pick<Database, 'lock'>,
  parts: readonly Pick<PartRow, 'sha256'>[],
): Promise<string[]> {
  const unused: string[] = []
  await holdContents(
    trx,
    database,
    parts.map(({ sha256 }) => sha256),
  )
  for (const hashes of batches([...new Set(parts.map(({ sha256 }) => sha256))])) {
    const rows = await trx
      .selectFrom('contents')
      .select('blob')
      .where('sha256', 'in', hashes)
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('parts')
              .select('parts.n')
              .whereRef('parts.sha256', '=', 'contents.sha256')
              .whereRef('parts.bytes', '=', 'contents.bytes'),
          ),
        ),
      )
      .execute()
    const blobs = rows.map(({ blob }) => blob)
    if (blobs.length > 0) await trx.deleteFrom('contents').where('blob', 'in', blobs).execute()
    unused.push(...blobs)
  }
  return unused
}

/**
 * Nobody else adds or drops parts with these bytes until the transaction ends: one would take for gone what another has just
 * begun to use. They are locked by the beginning of the hash, since a database does not hold locks without number.
 */
async function holdContents(
  trx: Transaction<Tables>,
  { lock }: Pick<Database, 'lock'>,
  hashes: readonly string[],
): Promise<void> {
  const beginnings = new Set(hashes.map((sha256) => sha256.slice(0, 2)))
  for (const beginning of [...beginnings].toSorted()) await lock(trx, 'content', beginning)
}

/** Which of these blobs hold what is part of an upload. */
export async function namedBlobs(db: Kysely<Tables>, keys: readonly string[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const rows = await db.selectFrom('contents').select('blob').where('blob', 'in', keys).execute()
  return new Set(rows.map(({ blob }) => blob))
}
