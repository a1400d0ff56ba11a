import { type Kysely, sql, type Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Keeping } from '../entries.ts'
import type { Database } from './database.ts'
import type { Tables, UploadRow } from './tables.ts'

/**
 * What of the quotas an upload takes: what it has announced, or what it holds where that is more. One that comes at once
 * holds nothing before its end, and reserves nothing: nobody could tell that its process has died.
 */
export function takenBy({ comes, state, bytes, size }: Pick<UploadRow, 'comes' | 'state' | 'bytes' | 'size'>): number {
  if (state === 'open') return Math.max(comes === 'at once' ? 0 : (size ?? 0), bytes)
  return state === 'complete' ? bytes : 0
}

/**
 * Counts so many bytes more, or fewer, as stored by an owner.
 * @throws {AppError} too_large, when a quota does not allow them.
 */
export async function take(
  trx: Transaction<Tables>,
  { lock }: Pick<Database, 'lock'>,
  owner: string,
  bytes: number,
  { quota, ownerQuota }: Pick<Keeping, 'quota' | 'ownerQuota'>,
): Promise<void> {
  if (bytes === 0) return
  if (bytes > 0 && quota !== Number.POSITIVE_INFINITY) await lock(trx, 'quota')
  const add = async () => {
    const { numUpdatedRows } = await trx
      .updateTable('stored')
      .set((column) => ({ bytes: sql<number>`${column.ref('bytes')} + ${bytes}` }))
      .where('owner', '=', owner)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }
  if (!(await add())) {
    await lock(trx, 'stored', owner)
    if (!(await add())) await trx.insertInto('stored').values({ owner, bytes }).execute()
  }
  if (bytes < 0) return
  // The write above has locked the owner's row, so that nobody else takes the same room.
  const mine = await trx.selectFrom('stored').select('bytes').where('owner', '=', owner).executeTakeFirstOrThrow()
  if (mine.bytes > ownerQuota) throw over(`You may store ${ownerQuota} bytes (ROWMILL_OWNER_QUOTA)`)
  if (quota === Number.POSITIVE_INFINITY) return
  const { all } = await trx
    .selectFrom('stored')
    .select((column) => column.fn.sum<number>('bytes').as('all'))
    .executeTakeFirstOrThrow()
  if (all > quota) throw over(`${quota} bytes may be stored in all (ROWMILL_QUOTA)`)
}

/** Bytes that the quotas leave for an owner. */
export async function roomFor(
  db: Kysely<Tables>,
  owner: string,
  { quota, ownerQuota }: Pick<Keeping, 'quota' | 'ownerQuota'>,
): Promise<number> {
  if (quota === Number.POSITIVE_INFINITY && ownerQuota === Number.POSITIVE_INFINITY) return quota
  const rows = await db.selectFrom('stored').selectAll().execute()
  const mine = rows.find((row) => row.owner === owner)?.bytes ?? 0
  const all = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  return Math.max(0, Math.min(ownerQuota - mine, quota - all))
}

function over(limit: string): AppError {
  return new AppError(
    'too_large',
    `${limit}, and with this it would be more. Delete uploads that are no longer needed.`,
  )
}

/** Owners for whom more or less is counted than their uploads take, a line each. */
export async function miscounted({ db }: Pick<Database, 'db'>): Promise<string[]> {
  const uploads = await db.selectFrom('uploads').select(['owner', 'comes', 'state', 'bytes', 'size']).execute()
  const taken = new Map<string, number>()
  for (const { owner, ...upload } of uploads) taken.set(owner, (taken.get(owner) ?? 0) + takenBy(upload))
  const rows = await db.selectFrom('stored').selectAll().execute()
  const counted = new Map(rows.map(({ owner, bytes }) => [owner, bytes]))
  return [...new Set([...taken.keys(), ...counted.keys()])]
    .filter((owner) => (taken.get(owner) ?? 0) !== (counted.get(owner) ?? 0))
    .map(
      (owner) =>
        `${counted.get(owner) ?? 0} bytes are counted for ${owner}, whose uploads take ${taken.get(owner) ?? 0}`,
    )
}
