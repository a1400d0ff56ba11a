import { isDeepStrictEqual } from 'node:util'
import type { Kysely, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Order, UploadSet } from '../model.ts'
import type { Keeping, NewSet, NewUpload } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { keptFor } from './later.ts'
import { setOf, uploadOf } from './nouns.ts'
import { settle } from './receipts.ts'
import { type Database, transact } from './database.ts'
import type { Tables } from './tables.ts'

type Sets = Pick<Catalog, 'createSet' | 'getSet' | 'listSets' | 'setUploads'>

export function sets(database: Database, keeping: Keeping): Sets {
  const { db } = database
  return {
    createSet: ({ owner, ...set }, receipt) =>
      transact(database, async (trx) => {
        await insertSet(trx, database, owner, set, 1, keeping)
        await settle(trx, database, receipt, { set_id: set.id }, keeping)
        return await needSet(trx, set.id)
      }),

    async getSet(id) {
      const row = await db.selectFrom('upload_sets').selectAll().where('id', '=', id).executeTakeFirst()
      return row === undefined ? undefined : setOf(row)
    },

    async listSets(owner, { limit, before }) {
      let query = db.selectFrom('upload_sets').selectAll().where('owner', '=', owner).where('state', '!=', 'deleted')
      if (before !== undefined) query = query.where('id', '<', before)
      return (await query.orderBy('id', 'desc').limit(limit).execute()).map(setOf)
    },

    async setUploads(set) {
      const rows = db.selectFrom('uploads').selectAll().where('set_id', '=', set)
      return (await rows.where('state', 'in', ['open', 'complete']).orderBy('id').execute()).map(uploadOf)
    },
  }
}

/**
 * The set that an upload belongs to, which is made if there is none that waits.
 * @throws {AppError} conflict, when it waits for something else; gone, when it no longer waits and was named by its id.
 */
export async function joinSet(
  trx: Transaction<Tables>,
  database: Database,
  owner: string,
  wanted: NonNullable<NewUpload['set']>,
  keeping: Keeping,
): Promise<string> {
  if (!('name' in wanted)) {
    const { id, state } = await holdSet(trx, wanted.id)
    if (state !== 'waiting') throw new AppError('gone', `Set ${id} is ${state}. Begin another one.`)
    return await addTo(trx, database, id, { ...wanted, files: null }, keeping)
  }
  if (wanted.name !== null) await database.lock(trx, 'set', owner, wanted.name)
  const latest = wanted.name === null ? undefined : await latestOf(trx, owner, wanted.name)
  if (latest?.state === 'waiting') return await addTo(trx, database, latest.id, wanted, keeping)
  await insertSet(trx, database, owner, wanted, (latest?.generation ?? 0) + 1, keeping)
  return wanted.id
}

/** @throws {AppError} conflict, when it waits for something else. */
async function addTo(
  trx: Transaction<Tables>,
  database: Pick<Database, 'now'>,
  set: string,
  wanted: Pick<NewSet, 'order' | 'files'>,
  keeping: Keeping,
): Promise<string> {
  const { id, name, order, files } = await holdSet(trx, set)
  if (wanted.order !== null && order !== null && !isSame(wanted.order, order)) {
    throw new AppError(
      'conflict',
      `Set ${name ?? id} waits for files of ${order.pipeline}, with other params or another pipeline than these. ` +
        'Give this one another set.',
    )
  }
  if (wanted.files !== null && files !== null && wanted.files !== files) {
    throw new AppError('conflict', `Set ${name ?? id} is of ${files} files, not ${wanted.files}.`)
  }
  if (wanted.files !== null && files === null) await refuseLateCount(trx, name ?? id, id, wanted.files)
  const changes = {
    ...(order === null && wanted.order !== null && { task_order: JSON.stringify(wanted.order) }),
    ...(files === null && wanted.files !== null && { files: wanted.files }),
  }
  await trx
    .updateTable('upload_sets')
    .set({ ...changes, expires_at: keptFor(database, keeping.filesMs) })
    .where('id', '=', id)
    .execute()
  return id
}

/**
 * How many files there will be can be told only before they are tasks of their own, or more than that.
 * @throws {AppError} conflict
 */
async function refuseLateCount(trx: Transaction<Tables>, name: string, id: string, files: number): Promise<void> {
  const { there, tasks } = await trx
    .selectFrom('uploads')
    .select((column) => [column.fn.countAll<number>().as('there'), column.fn.count<number>('task').as('tasks')])
    .where('set_id', '=', id)
    .where('state', '=', 'complete')
    .executeTakeFirstOrThrow()
  if (tasks > 0) {
    throw new AppError(
      'conflict',
      `The files of set ${name} are tasks of their own already. Tell how many there are with the first, of another set.`,
    )
  }
  if (there < files) return
  throw new AppError('conflict', `Set ${name} has ${there} files already, so it cannot be of ${files}.`)
}

/** The set that an upload is counted in when it is complete: another one, if its own has closed meanwhile. */
export async function waitingSet(
  trx: Transaction<Tables>,
  database: Database,
  id: string,
  keeping: Keeping,
): Promise<UploadSet> {
  const { owner, state, ...set } = await holdSet(trx, id)
  if (state === 'waiting') return { owner, state, ...set }
  const next = await joinSet(trx, database, owner, { ...set, id: newId() }, keeping)
  return await needSet(trx, next)
}

/** Locks a set for the rest of the transaction. */
export async function holdSet(trx: Transaction<Tables>, id: string): Promise<UploadSet> {
  await trx
    .updateTable('upload_sets')
    .set((column) => ({ state: column.ref('state') }))
    .where('id', '=', id)
    .execute()
  return await needSet(trx, id)
}

async function insertSet(
  trx: Transaction<Tables>,
  database: Pick<Database, 'now'>,
  owner: string,
  { id, name, order, files }: NewSet,
  generation: number,
  keeping: Keeping,
): Promise<void> {
  await trx
    .insertInto('upload_sets')
    .values({
      id,
      owner,
      name,
      generation,
      state: 'waiting',
      task_order: order === null ? null : JSON.stringify(order),
      files,
      created_at: database.now,
      expires_at: keptFor(database, keeping.filesMs),
    })
    .execute()
}

async function latestOf(trx: Transaction<Tables>, owner: string, name: string): Promise<UploadSet | undefined> {
  const rows = trx.selectFrom('upload_sets').selectAll().where('owner', '=', owner).where('name', '=', name)
  const row = await rows.orderBy('generation', 'desc').limit(1).executeTakeFirst()
  return row === undefined ? undefined : setOf(row)
}

async function needSet(db: Kysely<Tables>, id: string): Promise<UploadSet> {
  const row = await db
    .selectFrom('upload_sets')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow(() => new AppError('not_found', `There is no set ${id}.`))
  return setOf(row)
}

/** Which input a file is for, and its number, are matters of the file; and a pipeline may be edited while a set waits. */
function isSame(a: Order, b: Order): boolean {
  const own = { input: undefined, number: undefined, pipelineText: undefined }
  return isDeepStrictEqual({ ...a, ...own }, { ...b, ...own })
}
