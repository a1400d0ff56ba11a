/** What workers do with tasks. Every write of theirs names the state and the attempt it believes in. */
import type { Kysely, UpdateObject } from 'kysely'
import { sql } from 'kysely'
import { isFile, type Output, statesBefore, type TaskError } from '../model.ts'
import { checkBalances } from '../balances.ts'
import type { Keeping, Verdict } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import type { Targets } from '../job.ts'
import { type Database, transact } from './database.ts'
import type { Tables } from './tables.ts'
import { keptFor, later } from './later.ts'
import { repeatedBy } from './repeats.ts'
import { errorColumns, needTask, withLists } from './tasks.ts'

type Attempts = Pick<
  Catalog,
  'dueTasks' | 'claim' | 'renew' | 'commit' | 'targets' | 'finish' | 'requeueLapsed' | 'cancelRepeated'
>

type Changes = UpdateObject<Tables, 'tasks'>

/** A task that nobody runs has no lease and no progress. */
const released = { lease_until: null, progress: null } as const

export function attempts(database: Database, keeping: Keeping): Attempts {
  const { db, now } = database
  const ended = { ended_at: now, expires_at: keptFor(database, keeping.filesMs) }

  function changes(verdict: Verdict): Changes {
    if (verdict.state === 'queued') {
      return {
        ...released,
        state: 'queued',
        ...(verdict.why === 'crashed' ? { crashes: oneMore('crashes') } : {}),
        ...(verdict.why === 'failed' ? { failures: oneMore('failures') } : {}),
        run_after: later(now, verdict.delayMs),
      }
    }
    const { state, balances, rejects } = verdict
    return {
      ...released,
      state,
      ...ended,
      balances: balances === null ? null : JSON.stringify(balances),
      rejects_count: rejects?.count ?? null,
      rejects_bytes: rejects?.bytes ?? null,
      rejects_blob: rejects?.blob ?? null,
      rejects_fixable: rejects === null ? null : JSON.stringify(rejects.fixable),
      ...(state === 'succeeded'
        ? { warnings: JSON.stringify(verdict.warnings), plan: json(verdict.plan), undone: json(verdict.undone) }
        : errorColumns(verdict.error)),
      ...(state === 'failed' && verdict.crashed ? { crashes: oneMore('crashes') } : {}),
    }
  }

  return {
    async dueTasks(limit) {
      const rows = await db
        .selectFrom('tasks')
        .select('id')
        .where('state', '=', 'queued')
        .where('run_after', '<=', now)
        .orderBy('run_after')
        .orderBy('id')
        .limit(limit)
        .execute()
      return rows.map((row) => row.id)
    },

    async claim(id, leaseMs) {
      const claiming = (on: Kysely<Tables>) =>
        on
          .updateTable('tasks')
          .set({
            state: 'running',
            attempt: oneMore('attempt'),
            lease_until: later(now, leaseMs),
            started_at: sql<number>`coalesce(started_at, ${now})`,
          })
          .where('id', '=', id)
          .where('state', 'in', statesBefore('running'))
          .where('run_after', '<=', now)
      if (database.returns) {
        const [task] = await withLists(db, await claiming(db).returningAll().execute())
        return task
      }
      return await transact(database, async (trx) => {
        const { numUpdatedRows } = await claiming(trx).executeTakeFirst()
        return numUpdatedRows === 0n ? undefined : await needTask(trx, id)
      })
    },

    async renew(id, attempt, leaseMs, progress) {
      const { numUpdatedRows } = await held(db, id, attempt)
        .set({ lease_until: later(now, leaseMs), progress: progress === null ? null : JSON.stringify(progress) })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    async commit(id, attempt, targets) {
      const { numUpdatedRows } = await held(db, id, attempt)
        .set({ committing: 1, targets: JSON.stringify(targets) })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    async targets(id) {
      const row = await db.selectFrom('tasks').select('targets').where('id', '=', id).executeTakeFirst()
      return row === undefined || row.targets === null ? undefined : (JSON.parse(row.targets) as Targets)
    },

    cancelRepeated: (id, attempt, repeatKey) =>
      transact(database, async (trx) => {
        const { numUpdatedRows } = await held(trx, id, attempt)
          .set({ repeat_key: repeatKey })
          .where('committing', '=', 0)
          .executeTakeFirst()
        const { owner, again } = await needTask(trx, id)
        if (numUpdatedRows === 0n || again) return undefined
        const earlier = await repeatedBy(trx, database, owner, repeatKey, id)
        if (earlier === undefined) return undefined
        await held(trx, id, attempt)
          .set({ ...released, ...ended, state: 'cancelled', duplicate_of: earlier })
          .execute()
        return earlier
      }),

    finish: async (id, attempt, verdict) => {
      if (verdict.state === 'succeeded') checkBalances(verdict.balances)
      const outputs = verdict.state === 'succeeded' ? verdict.outputs : []
      const write = async (on: Kysely<Tables>) => {
        const { numUpdatedRows } = await held(on, id, attempt).set(changes(verdict)).executeTakeFirst()
        if (numUpdatedRows === 0n) return await hasEnded(on, id, attempt, verdict)
        await insertOutputs(on, id, outputs)
        return true
      }
      // One statement is a transaction.
      return await (outputs.length === 0 ? write(db) : transact(database, write))
    },

    requeueLapsed: (maxLost) =>
      transact(database, async (trx) => {
        const lapsed = await trx
          .selectFrom('tasks')
          .select(['id', 'attempt', 'lost_leases'])
          .where('state', '=', 'running')
          .where('lease_until', '<', now)
          .execute()
        const moved: string[] = []
        for (const { id, attempt, lost_leases } of lapsed) {
          const lost = lost_leases + 1
          const { numUpdatedRows } = await held(trx, id, attempt)
            .set({
              ...released,
              lost_leases: lost,
              ...(lost < maxLost
                ? { state: 'queued', run_after: now }
                : { state: 'failed', ...ended, ...errorColumns(abandoned(lost)) }),
            })
            // A heartbeat may have come between, where a database lets readers and writers pass each other.
            .where('lease_until', '<', now)
            .executeTakeFirst()
          if (numUpdatedRows > 0n) moved.push(id)
        }
        return moved
      }),
  }
}

/**
 * The fence: the task runs, and under this attempt. Not `statesBefore`: a task may fail from the queue as well, but a
 * worker that lost its lease must not fail what waits there for another.
 */
function held(db: Kysely<Tables>, id: string, attempt: number) {
  return db.updateTable('tasks').where('id', '=', id).where('state', '=', 'running').where('attempt', '=', attempt)
}

/** Whether this very attempt has ended the task so already: the answer to that may have been lost. */
async function hasEnded(db: Kysely<Tables>, id: string, attempt: number, verdict: Verdict): Promise<boolean> {
  if (verdict.state === 'queued') return false
  const row = await db
    .selectFrom('tasks')
    .select(['rejects_blob', 'error_code'])
    .where('id', '=', id)
    .where('attempt', '=', attempt)
    .where('state', '=', verdict.state)
    .executeTakeFirst()
  const error = verdict.state === 'failed' ? verdict.error.code : null
  return row !== undefined && row.error_code === error && row.rejects_blob === (verdict.rejects?.blob ?? null)
}

async function insertOutputs(db: Kysely<Tables>, task: string, outputs: readonly Output[]): Promise<void> {
  for (const [position, output] of outputs.entries()) {
    if (isFile(output)) {
      const { name, format, rows, bytes, sha256, blob } = output
      await db.insertInto('outputs').values({ task, position, name, format, rows, bytes, sha256, blob }).execute()
    } else {
      const { name, to, table, mode, rows, undoable } = output
      const row = { task, position, name, sink: to, target: table, mode, rows, undoable: undoable ? 1 : 0 } as const
      await db.insertInto('table_outputs').values(row).execute()
    }
  }
}

function abandoned(lost: number): TaskError {
  return {
    code: 'unavailable',
    message: `The task's worker died or fell silent ${lost} times. Look into the workers' logs, then retry the task.`,
  }
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

function oneMore(column: 'attempt' | 'crashes' | 'failures') {
  return sql<number>`${sql.ref(column)} + 1`
}
