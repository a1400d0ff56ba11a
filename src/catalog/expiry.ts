/** What has been kept for as long as was promised. */
import { type ExpressionBuilder, sql, type Transaction } from 'kysely'
import { resultsOf } from '../model.ts'
import type { Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { type Database, transact } from './database.ts'
import type { Tables } from './tables.ts'
import { removeUpload } from './removal.ts'
import { lockUploads } from './uploads.ts'

export function expiry(database: Database, keeping: Keeping): Pick<Catalog, 'expire' | 'clock' | 'believeClock'> {
  const { db, now } = database
  return {
    expire: (limit) =>
      transact(database, async (trx) => {
        await endSets(trx)
        await trx.deleteFrom('receipts').where('expires_at', '<', now).execute()
        const unused: string[] = []
        const uploads = await lapsedUploads(trx, limit)
        await lockUploads(trx, uploads)
        // Until they were locked, a task may have been made of one, or its end put off.
        for (const upload of uploads.length === 0 ? [] : await lapsedUploads(trx, limit, uploads)) {
          unused.push(...(await removeUpload(trx, database, upload, 'expired', keeping)))
        }
        const tasks = await trx
          .selectFrom('tasks')
          .select('id')
          .where('expired', '=', 0)
          .where('expires_at', '<', now)
          .limit(limit)
          .execute()
        const ids = tasks.map(({ id }) => id)
        if (ids.length > 0) await trx.updateTable('tasks').set({ expired: 1 }).where('id', 'in', ids).execute()
        return {
          count: uploads.length + ids.length,
          more: Math.max(uploads.length, ids.length) >= limit,
          blobs: [...unused, ...ids.map(resultsOf)],
        }
      }),

    async clock() {
      const { rows } = await sql<{ now: number }>`select ${now} as now`.execute(db)
      const believed = await db.selectFrom('clock').select('seen').executeTakeFirst()
      return { now: rows[0]?.now ?? 0, seen: believed?.seen ?? null }
    },

    believeClock: () =>
      transact(database, async (trx) => {
        await database.lock(trx, 'clock')
        const { numUpdatedRows } = await trx
          .updateTable('clock')
          .set({ seen: now })
          .where('id', '=', 1)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) await trx.insertInto('clock').values({ id: 1, seen: now }).execute()
      }),
  }

  /** A set whose files were tasks of their own has missed nothing. */
  async function endSets(trx: Transaction<Tables>): Promise<void> {
    const lapsed = trx.updateTable('upload_sets').where('state', '=', 'waiting').where('expires_at', '<', now)
    await lapsed
      .set({ state: 'closed', closed_at: now })
      .where('files', 'is', null)
      .where((where) => where.exists(uploadsOf(where).where('uploads.task', 'is not', null)))
      .where((where) => where.not(where.exists(uploadsOf(where).where('uploads.task', 'is', null))))
      .execute()
    await lapsed.set({ state: 'failed', closed_at: now }).execute()
  }

  function uploadsOf(where: ExpressionBuilder<Tables, 'upload_sets'>) {
    return where
      .selectFrom('uploads')
      .select('uploads.id')
      .whereRef('uploads.set_id', '=', 'upload_sets.id')
      .where('uploads.state', '!=', 'deleted')
  }

  /** None that a task still needs, or that waits for the others of its set. */
  async function lapsedUploads(trx: Transaction<Tables>, limit: number, among?: readonly string[]): Promise<string[]> {
    let query = trx.selectFrom('uploads')
    if (among !== undefined) query = query.where('id', 'in', among)
    const rows = await query
      .select('id')
      .where('state', 'in', ['open', 'complete'])
      .where('expires_at', '<', now)
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('task_inputs')
              .innerJoin('tasks', 'tasks.id', 'task_inputs.task')
              .select('tasks.id')
              .whereRef('task_inputs.upload', '=', 'uploads.id')
              .where('tasks.state', 'in', ['queued', 'running']),
          ),
        ),
      )
      .where((where) =>
        where.or([
          where('state', '=', 'open'),
          where('task', 'is not', null),
          where.not(
            where.exists(
              where
                .selectFrom('upload_sets')
                .select('upload_sets.id')
                .whereRef('upload_sets.id', '=', 'uploads.set_id')
                .where('upload_sets.state', '=', 'waiting')
                .where((set) => set.or([set('files', 'is not', null), set('task_order', 'is not', null)])),
            ),
          ),
        ]),
      )
      .limit(limit)
      .execute()
    return rows.map(({ id }) => id)
  }
}
