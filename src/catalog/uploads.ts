import type { Kysely, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Part, Upload, UploadState } from '../model.ts'
import type { Catalog } from '../ports.ts'
import type { Database, Tables, UploadRow } from './tables.ts'

type Uploads = Pick<Catalog, 'createUpload' | 'getUpload' | 'listUploads' | 'addPart' | 'parts' | 'deleteUpload'>

export function uploads({ db, now }: Database): Uploads {
  return {
    createUpload: ({ id, owner, name }) =>
      db.transaction().execute(async (trx) => {
        await trx
          .insertInto('uploads')
          .values({ id, owner, name, state: 'open', bytes: 0, sha256: null, created_at: now, completed_at: null })
          .execute()
        return await needUpload(trx, id)
      }),

    getUpload: (id) => findUpload(db, id),

    async listUploads(owner, { limit, before }) {
      let query = db.selectFrom('uploads').selectAll().where('owner', '=', owner).where('state', '!=', 'deleted')
      if (before !== undefined) query = query.where('id', '<', before)
      return (await query.orderBy('id', 'desc').limit(limit).execute()).map(uploadOf)
    },

    addPart: (part) =>
      db.transaction().execute(async (trx) => {
        await holdUploads(trx, [part.upload], 'open')
        // Not an upsert: SQLite and PostgreSQL spell it differently from MySQL.
        await trx.deleteFrom('parts').where('upload', '=', part.upload).where('n', '=', part.n).execute()
        await trx.insertInto('parts').values(part).execute()
      }),

    parts: (upload): Promise<Part[]> =>
      db.selectFrom('parts').selectAll().where('upload', '=', upload).orderBy('n').execute(),

    deleteUpload: (id) =>
      db.transaction().execute(async (trx) => {
        // The write first: it locks the row, so that no task that needs the upload can be created beside it.
        await trx.updateTable('uploads').set({ state: 'deleted' }).where('id', '=', id).execute()
        const { name } = await needUpload(trx, id)
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
      }),
  }
}

/**
 * Locks uploads in a state for the rest of the transaction.
 * @throws {AppError} not_found or conflict, when one is not there or not in that state.
 */
export async function holdUploads(trx: Transaction<Tables>, ids: readonly string[], state: UploadState): Promise<void> {
  const wanted = [...new Set(ids)]
  if (wanted.length === 0) return
  // An update that changes nothing is the row lock that every database has; SQLite knows no SELECT … FOR UPDATE.
  const { numUpdatedRows } = await trx
    .updateTable('uploads')
    .set({ state })
    .where('id', 'in', wanted)
    .where('state', '=', state)
    .executeTakeFirst()
  if (numUpdatedRows === BigInt(wanted.length)) return
  for (const id of wanted) {
    const upload = await needUpload(trx, id)
    if (upload.state !== state) throw notIn(state, upload)
  }
}

/** The error for an upload that is not in the state it has to be in. */
export function notIn(state: UploadState, upload: Upload): AppError {
  return new AppError('conflict', `Upload ${upload.id} (${upload.name}) is ${upload.state}, not ${state}.`)
}

async function findUpload(db: Kysely<Tables>, id: string): Promise<Upload | undefined> {
  const row = await db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : uploadOf(row)
}

/** @throws {AppError} not_found */
export async function needUpload(db: Kysely<Tables>, id: string): Promise<Upload> {
  const upload = await findUpload(db, id)
  if (upload === undefined) throw new AppError('not_found', `There is no upload ${id}.`)
  return upload
}

function uploadOf({ created_at, completed_at, ...rest }: UploadRow): Upload {
  return { ...rest, createdAt: created_at, completedAt: completed_at }
}
