/** What requests with an Idempotency-Key have come to: noted in the transaction that creates it, so never without it. */
import type { Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Keeping, NewReceipt } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { keptFor, later } from './later.ts'
import { type Database, transact } from './database.ts'
import type { ReceiptRow, Tables } from './tables.ts'

type Receipts = Pick<Catalog, 'holdKey' | 'dropKey'>

export function receipts(database: Database, keeping: Keeping): Receipts {
  const { db, now } = database
  return {
    holdKey: ({ owner, key, holder }, forMs) =>
      transact(database, async (trx) => {
        await database.lock(trx, 'key', owner, key)
        const held = { holder, held_until: later(now, forMs), expires_at: keptFor(database, keeping.receiptsMs) }
        const nothingYet = { request: null, upload: null, set_id: null, task: null, duplicate: 0 as const }
        const { numUpdatedRows } = await rowOf(trx, owner, key)
          .set({ ...held, ...nothingYet })
          .where((row) =>
            row.or([
              row('expires_at', '<', now),
              row.and([row('request', 'is', null), row.or([row('held_until', '<', now), row('holder', '=', holder)])]),
            ]),
          )
          .executeTakeFirst()
        if (numUpdatedRows > 0n) return 'held'
        const found = await trx
          .selectFrom('receipts')
          .selectAll()
          .where('owner', '=', owner)
          .where('idempotency_key', '=', key)
          .executeTakeFirst()
        if (found === undefined) {
          await trx
            .insertInto('receipts')
            .values({ owner, idempotency_key: key, duplicate: 0, ...held })
            .execute()
          return 'held'
        }
        const { request, upload, set_id: set, task, duplicate } = found
        return request === null ? undefined : { request, upload, set, task, duplicate: duplicate === 1 }
      }),

    async dropKey({ owner, key, holder }) {
      await db
        .deleteFrom('receipts')
        .where('owner', '=', owner)
        .where('idempotency_key', '=', key)
        .where('holder', '=', holder)
        .where('request', 'is', null)
        .execute()
    },
  }
}

/**
 * Notes what a request has come to.
 * @throws {AppError} conflict, when its key is held by another by now.
 */
export async function settle(
  trx: Transaction<Tables>,
  database: Pick<Database, 'now'>,
  receipt: NewReceipt | undefined,
  what: Partial<Pick<ReceiptRow, 'upload' | 'set_id' | 'task' | 'duplicate'>>,
  { receiptsMs }: Pick<Keeping, 'receiptsMs'>,
): Promise<void> {
  if (receipt === undefined) return
  const { numUpdatedRows } = await rowOf(trx, receipt.owner, receipt.key)
    .set({ ...what, request: receipt.request, expires_at: keptFor(database, receiptsMs) })
    .where('holder', '=', receipt.holder)
    .where('request', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  throw new AppError('conflict', 'Another request has taken over this Idempotency-Key. Ask with it again.')
}

function rowOf(trx: Transaction<Tables>, owner: string, key: string) {
  return trx.updateTable('receipts').where('owner', '=', owner).where('idempotency_key', '=', key)
}
