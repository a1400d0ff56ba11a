import type { InsertQueryBuilder, InsertResult, Kysely, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import {
  checkMove,
  checkUncorrected,
  checkUndoable,
  type FixableFile,
  type Output,
  type Params,
  type Progress,
  statesBefore,
} from '../model.ts'
import type { Balances, Plan } from '../balances.ts'
import type { Task, TaskError, TaskInput, Warning } from '../model.ts'
import type { Keeping, NewTask } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { type Database, transact } from './database.ts'
import type { Tables, TaskRow } from './tables.ts'
import { batches } from './batches.ts'
import { keptFor } from './later.ts'
import { settle } from './receipts.ts'
import { repeatedBy } from './repeats.ts'
import { holdUploads } from './uploads.ts'

type Tasks = Pick<Catalog, 'createTask' | 'getTask' | 'listTasks' | 'cancel'>

export function tasks(database: Database, keeping: Keeping): Tasks {
  const { db, now } = database
  return {
    createTask: (task, receipt) =>
      transact(database, async (trx) => {
        const { id, row } = await insertTask(trx, database, task, keeping)
        await settle(trx, database, receipt, { task: id, duplicate: id === task.id ? 0 : 1 }, keeping)
        return row === undefined ? await needTask(trx, id) : taskOf(row, [...task.inputs], [], unanswered)
      }),

    getTask: (id) => findTask(db, id),

    async listTasks(owner, { limit, before, state }) {
      let query = db.selectFrom('tasks').selectAll().where('owner', '=', owner)
      if (state !== undefined) query = query.where('state', '=', state)
      if (before !== undefined) query = query.where('id', '<', before)
      return await withLists(db, await query.orderBy('id', 'desc').limit(limit).execute())
    },

    cancel: (id) =>
      transact(database, async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('tasks')
          .set({
            state: 'cancelled',
            ended_at: now,
            expires_at: keptFor(database, keeping.filesMs),
            lease_until: null,
            progress: null,
          })
          .where('id', '=', id)
          .where('state', 'in', statesBefore('cancelled'))
          .where('committing', '=', 0)
          .executeTakeFirst()
        const task = await needTask(trx, id)
        if (numUpdatedRows === 0n) checkMove(task, 'cancelled')
        return task
      }),
  }
}

/** Its own row; or the id of the earlier one that it would only repeat. */
export interface Inserted {
  readonly id: string
  readonly row?: TaskRow
}

export async function insertTask(
  trx: Transaction<Tables>,
  database: Database,
  task: NewTask,
  { filesMs }: Pick<Keeping, 'filesMs'>,
): Promise<Inserted> {
  await holdUploads(
    trx,
    task.inputs.map((input) => input.upload),
    'complete',
  )
  const { id, owner, pipeline, pipelineText, params, inputs, retryOf, corrects, undoes } = task
  const { now } = database
  if (task.repeatKey !== null && !task.again) {
    const earlier = await repeatedBy(trx, database, owner, task.repeatKey, id)
    if (earlier !== undefined) return { id: earlier }
  }
  const goesOn = retryOf === null ? undefined : await goOn(trx, retryOf)
  if (corrects !== null) await holdUncorrected(trx, corrects, goesOn?.delivery)
  if (undoes !== null) await holdUndoable(trx, undoes, goesOn?.delivery)
  const insert = trx.insertInto('tasks').values({
    id,
    owner,
    pipeline,
    pipeline_text: pipelineText,
    params: JSON.stringify(params),
    ...(task.error === undefined
      ? { state: 'queued' }
      : { state: 'failed', ...errorColumns(task.error), ended_at: now, expires_at: keptFor(database, filesMs) }),
    attempt: 0,
    crashes: 0,
    failures: 0,
    lost_leases: 0,
    committing: 0,
    run_after: now,
    warnings: '[]',
    retry_of: retryOf,
    set_name: task.setName,
    repeat_key: task.repeatKey ?? (retryOf === null ? null : (await needRow(trx, retryOf)).repeat_key),
    again: task.again ? 1 : 0,
    expired: 0,
    corrects,
    dry_run: task.dryRun ? 1 : 0,
    plan_hash: task.planHash,
    undoes,
    created_at: now,
    ...goesOn,
  })
  const row = database.returns
    ? await insert.returningAll().executeTakeFirstOrThrow()
    : await insertAndRead(trx, insert, id)
  const rows = inputs.map(({ input, upload, name }, position) => ({ task: id, position, input, upload, name }))
  for (const some of batches(rows)) await trx.insertInto('task_inputs').values(some).execute()
  return { id, row }
}

/** An error as it stands in a task's row. */
export function errorColumns({ code, message, details }: TaskError) {
  return {
    error_code: code,
    error_message: message,
    error_details: details === undefined ? null : JSON.stringify(details),
  }
}

async function insertAndRead(
  trx: Transaction<Tables>,
  insert: InsertQueryBuilder<Tables, 'tasks', InsertResult>,
  id: string,
): Promise<TaskRow> {
  await insert.execute()
  return await needRow(trx, id)
}

/** Nothing corrects or undoes what has not succeeded. */
const unanswered = { correctedBy: null, undoneBy: null } as const

/**
 * What a task takes over from one that has failed within its commit: something of that may be visible, and must not come
 * a second time. Undefined for one that has delivered nothing, or all.
 * @throws {AppError} conflict, when another goes on with it already.
 */
async function goOn(
  trx: Transaction<Tables>,
  id: string,
): Promise<Pick<TaskRow, 'delivery' | 'attempt' | 'committing' | 'targets'> | undefined> {
  await hold(trx, id)
  const { state, attempt, committing, targets, delivery } = await needRow(trx, id)
  if (state !== 'failed' || committing === 0) return undefined
  const same = delivery ?? id
  const other = await trx
    .selectFrom('tasks')
    .select('id')
    .where('delivery', '=', same)
    .where('id', '>', id)
    .executeTakeFirst()
  if (other !== undefined) {
    throw new AppError('conflict', `Task ${id} has begun its commit, and task ${other.id} goes on with it. Retry that.`)
  }
  return { delivery: same, attempt, committing, targets }
}

/** Locks a task for the rest of the transaction. */
async function hold(trx: Transaction<Tables>, id: string): Promise<void> {
  await trx
    .updateTable('tasks')
    .set((column) => ({ corrects: column.ref('corrects') }))
    .where('id', '=', id)
    .execute()
}

/**
 * @param delivery of the task that is about to correct it.
 * @throws {AppError} conflict, when another corrects it, or is about to.
 */
async function holdUncorrected(trx: Transaction<Tables>, id: string, delivery: string | null = null): Promise<void> {
  await hold(trx, id)
  checkUncorrected({ id, correctedBy: (await answersTo(trx, 'corrects', [id], delivery)).get(id) ?? null })
}

/** @throws {AppError} conflict, when it cannot be undone, or another does so. */
async function holdUndoable(trx: Transaction<Tables>, id: string, delivery: string | null = null): Promise<void> {
  await hold(trx, id)
  checkUndoable({
    ...(await needTask(trx, id)),
    undoneBy: (await answersTo(trx, 'undoes', [id], delivery)).get(id) ?? null,
  })
}

/**
 * By task, the one that corrects or undoes it.
 * @param but is left out: the one that goes by this delivery.
 */
async function answersTo(
  db: Kysely<Tables>,
  how: 'corrects' | 'undoes',
  ids: readonly string[],
  but: string | null = null,
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('tasks')
    .select(['id', 'delivery', how])
    .where(how, 'in', ids)
    // One that has failed within its commit may have come to something.
    .where((where) => where.or([where('state', 'not in', ['failed', 'cancelled']), where('committing', '=', 1)]))
    .orderBy('id')
    .execute()
  const others = rows.filter(({ id, delivery }) => but === null || (delivery ?? id) !== but)
  return new Map(others.map((row) => [row[how] ?? '', row.id]))
}

/** @throws {AppError} not_found */
export async function needTask(db: Kysely<Tables>, id: string): Promise<Task> {
  const task = await findTask(db, id)
  if (task === undefined) throw missing(id)
  return task
}

async function needRow(db: Kysely<Tables>, id: string): Promise<TaskRow> {
  return await db
    .selectFrom('tasks')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow(() => missing(id))
}

function missing(id: string): AppError {
  return new AppError('not_found', `There is no task ${id}.`)
}

async function findTask(db: Kysely<Tables>, id: string): Promise<Task | undefined> {
  const rows = await db.selectFrom('tasks').selectAll().where('id', '=', id).execute()
  return (await withLists(db, rows))[0]
}

/**
 * Rows as tasks, with what stands in other tables. No transaction is needed: inputs never change, and outputs are read
 * after the row that says they are all there.
 */
export async function withLists(db: Kysely<Tables>, rows: readonly TaskRow[]): Promise<Task[]> {
  const ids = rows.map((row) => row.id)
  const done = rows.filter((row) => row.state === 'succeeded').map((row) => row.id)
  const inputs = new Map<string, TaskInput[]>(ids.map((id) => [id, []]))
  const outputs = new Map<string, { position: number; output: Output }[]>(done.map((id) => [id, []]))
  if (ids.length > 0) {
    const found = db.selectFrom('task_inputs').selectAll().where('task', 'in', ids).orderBy('task').orderBy('position')
    for (const { task, input, upload, name } of await found.execute()) inputs.get(task)?.push({ input, upload, name })
  }
  if (done.length > 0) {
    const found = db.selectFrom('outputs').selectAll().where('task', 'in', done)
    for (const { task, position, ...output } of await found.execute()) outputs.get(task)?.push({ position, output })
    const tables = db.selectFrom('table_outputs').selectAll().where('task', 'in', done)
    for (const {
      task,
      position,
      sink: to,
      target: table,
      name,
      mode,
      rows: count,
      undoable,
    } of await tables.execute()) {
      const output = { name, to, table, mode, rows: count, undoable: undoable === 1 }
      outputs.get(task)?.push({ position, output })
    }
  }
  const corrected = await answersTo(db, 'corrects', done)
  const undone = await answersTo(db, 'undoes', done)
  return rows.map((row) => {
    const delivered = (outputs.get(row.id) ?? []).toSorted((a, b) => a.position - b.position)
    return taskOf(
      row,
      inputs.get(row.id) ?? [],
      delivered.map(({ output }) => output),
      { correctedBy: corrected.get(row.id) ?? null, undoneBy: undone.get(row.id) ?? null },
    )
  })
}

function taskOf(
  row: TaskRow,
  inputs: TaskInput[],
  outputs: Output[],
  answers: Pick<Task, 'correctedBy' | 'undoneBy'>,
): Task {
  return {
    id: row.id,
    owner: row.owner,
    pipeline: row.pipeline,
    pipelineText: row.pipeline_text,
    params: JSON.parse(row.params) as Params,
    inputs,
    state: row.state,
    attempt: row.attempt,
    crashes: row.crashes,
    failures: row.failures,
    lostLeases: row.lost_leases,
    runAfter: row.run_after,
    leaseUntil: row.lease_until,
    committing: row.committing === 1,
    progress: row.progress === null ? null : (JSON.parse(row.progress) as Progress),
    balances: row.balances === null ? null : (JSON.parse(row.balances) as Balances),
    warnings: JSON.parse(row.warnings) as Warning[],
    outputs,
    rejects: rejectsOf(row),
    error: errorOf(row),
    retryOf: row.retry_of,
    setName: row.set_name,
    duplicateOf: row.duplicate_of,
    again: row.again === 1,
    delivery: row.delivery ?? row.id,
    corrects: row.corrects,
    dryRun: row.dry_run === 1,
    plan: row.plan === null ? null : (JSON.parse(row.plan) as Plan),
    planHash: row.plan_hash,
    undoes: row.undoes,
    undone: row.undone === null ? null : (JSON.parse(row.undone) as Task['undone']),
    ...answers,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    expiresAt: row.expires_at,
    expired: row.expired === 1,
  }
}

function rejectsOf(row: TaskRow): Task['rejects'] {
  const { rejects_count: count, rejects_bytes: bytes, rejects_blob: blob, rejects_fixable: fixable } = row
  if (count === null || bytes === null || blob === null) return null
  return { count, bytes, blob, fixable: fixable === null ? [] : (JSON.parse(fixable) as FixableFile[]) }
}

function errorOf({ error_code: code, error_message: message, error_details: details }: TaskRow): TaskError | null {
  if (code === null || message === null) return null
  return details === null
    ? { code, message }
    : { code, message, details: JSON.parse(details) as TaskError['details'] & {} }
}
