import type { Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import { directOf, type Upload } from '../model.ts'
import type { Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { dropParts, partsOf } from './parts.ts'
import { take, takenBy } from './quotas.ts'
import { holdSet } from './sets.ts'
import { type Database, transact } from './database.ts'
import type { Tables, UploadRow } from './tables.ts'
import { lockUploads, needRow, needUpload } from './uploads.ts'

export function removal(database: Database, keeping: Keeping): Pick<Catalog, 'deleteUpload' | 'deleteSet'> {
  const { now } = database
  return {
    deleteUpload: (id) =>
      transact(database, async (trx) => {
        await refuseNeeded(trx, await needUpload(trx, id))
        return await removeUpload(trx, database, id, 'deleted', keeping)
      }),

    deleteSet: (id) =>
      transact(database, async (trx) => {
        const { state } = await holdSet(trx, id)
        if (state === 'deleted') return []
        if (state === 'closed') {
          throw new AppError(
            'conflict',
            `Set ${id} has closed, and its uploads are its task’s. Delete them one by one.`,
          )
        }
        await trx.updateTable('upload_sets').set({ state: 'deleted', closed_at: now }).where('id', '=', id).execute()
        const uploads = trx.selectFrom('uploads').select('id').where('set_id', '=', id)
        const unused: string[] = []
        for (const upload of await uploads.where('state', 'in', ['open', 'complete']).orderBy('id').execute()) {
          await refuseNeeded(trx, await needUpload(trx, upload.id))
          unused.push(...(await removeUpload(trx, database, upload.id, 'deleted', keeping)))
        }
        return unused
      }),
  }
}

/** Takes what an upload has stored out of the catalog; the blobs that nothing names any more, and where others may be. */
export async function removeUpload(
  trx: Transaction<Tables>,
  database: Database,
  id: string,
  state: 'deleted' | 'expired',
  keeping: Keeping,
): Promise<string[]> {
  const before = await needRow(trx, id)
  await trx.updateTable('uploads').set({ state }).where('id', '=', id).execute()
  await take(trx, database, before.owner, -takenBy(before), keeping)
  return [...(await dropParts(trx, database, id, await partsOf(trx, id))), ...directlySent(before)]
}

/** Where clients may have put pieces of an upload that takes none any more. */
export function directlySent({ id, comes }: Pick<UploadRow, 'id' | 'comes'>): string[] {
  return comes === 'in pieces' ? [directOf(id)] : []
}

async function refuseNeeded(trx: Transaction<Tables>, { id, name }: Upload): Promise<void> {
  // The write first: it locks the row, so that no task that needs the upload can be created beside it.
  await lockUploads(trx, [id])
  const user = await trx
    .selectFrom('task_inputs')
    .innerJoin('tasks', 'tasks.id', 'task_inputs.task')
    .select(['tasks.id', 'tasks.state'])
    .where('task_inputs.upload', '=', id)
    .where('tasks.state', 'in', ['queued', 'running'])
    .executeTakeFirst()
  if (user === undefined) return
  throw new AppError(
    'conflict',
    `Upload ${id} (${name}) is needed by task ${user.id}, which is ${user.state}. Cancel it or wait for its end.`,
  )
}
