/** Tasks that would only do again what an earlier one has done. */
import type { Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Targets } from '../job.ts'
import type { Database } from './database.ts'
import type { Tables } from './tables.ts'

/**
 * The earliest task of the owner that does the same and still counts, with no other to come until the transaction ends: none that failed, was cancelled or undone, was a dry
 * run or has expired, and none whose table another task has written to since.
 */
export async function repeatedBy(
  trx: Transaction<Tables>,
  { lock }: Pick<Database, 'lock'>,
  owner: string,
  repeatKey: string,
  but: string,
): Promise<string | undefined> {
  await lock(trx, 'repeat', owner, repeatKey)
  const rows = await trx
    .selectFrom('tasks')
    .select(['id', 'state', 'ended_at'])
    .where('repeat_key', '=', repeatKey)
    .where('owner', '=', owner)
    .where('id', '!=', but)
    .where('state', 'not in', ['failed', 'cancelled'])
    .where('dry_run', '=', 0)
    .where('expired', '=', 0)
    .orderBy('id')
    .execute()
  for (const { id, ended_at: end } of rows) {
    if (await isUndone(trx, id)) continue
    if (end === null || !(await isSuperseded(trx, id, end))) return id
  }
  return undefined
}

async function isUndone(trx: Transaction<Tables>, id: string): Promise<boolean> {
  const undo = await trx
    .selectFrom('tasks')
    .select('id')
    .where('undoes', '=', id)
    .where((where) => where.or([where('state', 'not in', ['failed', 'cancelled']), where('committing', '=', 1)]))
    .executeTakeFirst()
  return undo !== undefined
}

/** Whether others have written to a table of this one's after its end, or are about to. */
async function isSuperseded(trx: Transaction<Tables>, id: string, end: number): Promise<boolean> {
  const written = await trx
    .selectFrom('table_outputs as mine')
    .innerJoin('table_outputs as other', (join) =>
      join
        .onRef('other.sink', '=', 'mine.sink')
        .on(sql<boolean>`lower(${sql.ref('other.target')}) = lower(${sql.ref('mine.target')})`)
        .onRef('other.task', '!=', 'mine.task'),
    )
    // The other task itself, or one that took its rows out again.
    .innerJoin('tasks as by', (join) =>
      join.on((where) =>
        where.or([where('by.id', '=', where.ref('other.task')), where('by.undoes', '=', where.ref('other.task'))]),
      ),
    )
    .select('by.id')
    .where('mine.task', '=', id)
    .where('by.state', '=', 'succeeded')
    .where('by.ended_at', '>=', end)
    .executeTakeFirst()
  if (written !== undefined) return true
  return await isBeingWritten(trx, id)
}

/** Tasks amid their commit have no outputs on record yet, only what they have begun with. */
async function isBeingWritten(trx: Transaction<Tables>, id: string): Promise<boolean> {
  const mine = await trx.selectFrom('table_outputs').select('target').where('task', '=', id).execute()
  if (mine.length === 0) return false
  const tables = new Set(mine.map(({ target }) => target.toLowerCase()))
  const others = await trx
    .selectFrom('tasks')
    .select(['id', 'targets'])
    .where('committing', '=', 1)
    .where('state', '!=', 'succeeded')
    .where('targets', 'is not', null)
    .execute()
  return others.some(({ targets }) =>
    Object.values(JSON.parse(targets ?? '{}') as Targets).some(({ target }) => tables.has(target.table.toLowerCase())),
  )
}
