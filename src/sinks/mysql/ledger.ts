/**
 * The ledger of a MySQL database. A statement that makes or renames a table commits by itself there. So where rows come as a
 * table of their own, the ledger says first what they come to; then one RENAME puts that table in its place and, in the
 * same step, another aside, whose name then tells that it has happened, whatever has become of the session.
 */
import { AppError } from '../../errors.ts'
import type { LoadMode } from '../../model.ts'
import type { DeliveryId } from '../../ports.ts'
import { findTable, type Place } from './catalog.ts'
import { sessionLock, swapLock, takeLock } from './locks.ts'
import type { Session } from './session.ts'
import { settleLeft, settleOwn } from './settle.ts'
import { type Committed, type Counts, isInTheWay, ledgerTable, overtaken } from '../tables.ts'

/** Seconds that a session may take to end, and to take back what it has done. */
const patience = 30

/** What rows have come to. Of an undo: rows removed, restored and left. */
export interface Outcome extends Counts {
  readonly undoable: boolean
  /** The table that is kept for an undo or, by an undo, put aside; quoted, with its schema. */
  readonly kept: string | null
}

/** An attempt's hold on its row of the ledger. */
export class LedgerRow {
  readonly #session: Session
  readonly #id: DeliveryId
  readonly #attempt: number
  readonly #place: Place
  readonly #mode: LoadMode | 'undo'
  readonly #undoes: string | null

  /** @param undoes of an undo: the task that it takes back. */
  constructor(
    session: Session,
    id: DeliveryId,
    attempt: number,
    place: Place,
    mode: LoadMode | 'undo',
    undoes: string | null = null,
  ) {
    this.#session = session
    this.#id = id
    this.#attempt = attempt
    this.#place = place
    this.#mode = mode
    this.#undoes = undoes
  }

  /**
   * Makes the attempt the one that may commit. What an earlier one still does is ended before, since it may hold the
   * ledger's row, and after, since it may just have come.
   * @throws {AppError} conflict, when a later one has come; unavailable, when an earlier one does not end.
   */
  async register(): Promise<Committed | undefined> {
    const { task, output } = this.#id
    await this.#createLedger()
    await this.#endEarlier()
    await this.#session.run(
      `INSERT INTO ${ledgerTable} (task, output, attempt, target, mode, undoes) VALUES (?, ?, 0, ?, ?, ?)
       ON DUPLICATE KEY UPDATE output = output`,
      [task, output, this.#place.canonical, this.#mode, this.#undoes],
    )
    const { affectedRows } = await this.#session.run(
      `UPDATE ${ledgerTable} SET attempt = ? WHERE task = ? AND output = ? AND attempt <= ?`,
      [this.#attempt, task, output, this.#attempt],
    )
    if (affectedRows !== 1) throw overtaken(this.#id)
    await this.#endEarlier()
    if (!(await takeLock(this.#session, sessionLock, this.#id, patience))) throw this.#stillBusy()
    await this.settle()
    await settleLeft(this.#session)
    return await this.#committed()
  }

  /**
   * Says what is on its way, before it is there: who comes later finds out what has become of it.
   * @param staging the table that rows wait in; of an undo, the one that is to come back, quoted.
   */
  async stage(staging: string): Promise<void> {
    await this.#write('staging = ?, ready_at = NULL, kept = NULL', [staging])
  }

  /** Says what the RENAME that follows comes to. */
  async ready(outcome: Outcome): Promise<void> {
    await this.#end(outcome, 'ready_at')
  }

  /** Within the transaction of the rows. */
  async commit(outcome: Outcome): Promise<void> {
    await this.#end(outcome, 'committed_at')
  }

  /**
   * Before a table takes the place of this one that others may be loading: from now on none of them commits.
   * @throws {AppError} unavailable, when one is about to.
   */
  async keepOthersOut(): Promise<void> {
    if (!(await takeLock(this.#session, swapLock, this.#id, patience))) throw this.#inTheWay()
    // Waits for those that are within their transactions.
    const [row] = await this.#session.rows<{ renaming: string | null }>(
      `SELECT sum(target = ? AND ready_at IS NOT NULL AND staging IS NOT NULL AND committed_at IS NULL AND
         NOT (task = ? AND output = ?)) AS renaming FROM ${ledgerTable} LOCK IN SHARE MODE`,
      [this.#place.canonical, this.#id.task, this.#id.output],
    )
    if (Number(row?.renaming) > 0) throw this.#inTheWay()
  }

  /** Finds out what has become of what was staged. */
  async settle(): Promise<void> {
    if (!(await settleOwn(this.#session, this.#id, patience))) throw this.#stillBusy()
  }

  async #end({ inserted, updated, unchanged, undoable, kept }: Outcome, when: string): Promise<void> {
    await this.#write(`inserted = ?, updated = ?, unchanged = ?, undoable = ?, kept = ?, ${when} = UTC_TIMESTAMP(6)`, [
      inserted,
      updated,
      unchanged,
      undoable,
      kept,
    ])
    const { task, output } = this.#id
    const [row] = await this.#session.rows<{ holder: number | null; own: number }>(
      `SELECT IS_USED_LOCK(${swapLock}) AS holder, CONNECTION_ID() AS own FROM ${ledgerTable} WHERE task = ? AND output = ?`,
      [task, output],
    )
    if (row?.holder !== null && row?.holder !== row?.own) throw this.#inTheWay()
  }

  /** @throws {AppError} conflict, when the row is a later attempt's. */
  async #write(assignments: string, values: readonly unknown[]): Promise<void> {
    const { affectedRows } = await this.#session.run(
      `UPDATE ${ledgerTable} SET ${assignments} WHERE task = ? AND output = ? AND attempt = ?`,
      [...values, this.#id.task, this.#id.output, this.#attempt],
    )
    if (affectedRows !== 1) throw overtaken(this.#id)
  }

  async #createLedger(): Promise<void> {
    const session = this.#session
    if ((await findTable(session, { schema: session.database, table: ledgerTable })) !== undefined) return
    await session.run(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (
      task varchar(64) NOT NULL, output varchar(64) NOT NULL, attempt bigint NOT NULL, target text NOT NULL,
      mode varchar(16) NOT NULL, undoes varchar(64), inserted bigint, updated bigint, unchanged bigint, undoable boolean, kept text,
      staging text, ready_at datetime(6), committed_at datetime(6), PRIMARY KEY (task, output)
    ) ENGINE = InnoDB COLLATE utf8mb4_bin`)
  }

  async #endEarlier(): Promise<void> {
    const { task, output } = this.#id
    const sessions = await this.#session.rows<{ id: number | null }>(
      `SELECT IS_USED_LOCK(${sessionLock}) AS id FROM ${ledgerTable}
       WHERE task = ? AND (attempt < ? OR output = ? AND attempt = ?)`,
      [task, this.#attempt, output, this.#attempt],
    )
    for (const { id } of sessions) if (id !== null) await kill(this.#session, id)
  }

  #inTheWay(): AppError {
    return new AppError(
      'unavailable',
      `The table ${this.#session.table} is being loaded and put back by an undo at the same time. Try again.`,
    )
  }

  #stillBusy(): AppError {
    const { task, output } = this.#id
    return new AppError(
      'unavailable',
      `The database ${this.#session.sink} (MySQL) still takes back what an earlier attempt at output ${output} of task ${task} has done. Try again.`,
    )
  }

  async #committed(): Promise<Committed | undefined> {
    const load = await findLoad(this.#session, this.#id)
    if (load?.attempt !== this.#attempt) throw overtaken(this.#id)
    return load.isCommitted ? load : undefined
  }
}

/** What a ledger says of a delivery, whether it has come to an end or not. */
export interface LoadRow extends Committed {
  readonly attempt: number
  readonly mode: LoadMode | 'undo'
  readonly kept: string | null
  /** Whether the whole table was replaced since, or loaded since it was: it cannot be undone by itself then. */
  readonly isLoadedSince: boolean
  readonly isCommitted: boolean
}

export async function findLoad(session: Session, { task, output }: DeliveryId): Promise<LoadRow | undefined> {
  const [row] = await session.rows<
    Omit<LoadRow, 'superseded' | 'isLoadedSince' | 'undoable' | 'isCommitted'> &
      Record<'superseded' | 'since' | 'undoable' | 'committed', number>
  >(
    `SELECT attempt, mode, inserted, updated, unchanged, coalesce(undoable, 0) AS undoable, kept,
       committed_at IS NOT NULL AS committed, EXISTS (
         SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = one.target AND other.committed_at > one.committed_at
       ) AS superseded, EXISTS (
         SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = one.target AND other.committed_at > one.committed_at
           AND ${isInTheWay}
       ) AS since FROM ${ledgerTable} AS one WHERE task = ? AND output = ?`,
    [task, output],
  )
  if (row === undefined) return undefined
  const { superseded, since, undoable, committed, ...load } = row
  const isLoadedSince = since === 1
  return {
    ...load,
    superseded: superseded === 1,
    isLoadedSince,
    undoable: undoable === 1,
    isCommitted: committed === 1,
  }
}

/** A thread that has ended by itself meanwhile needs no more. */
const noSuchThread = 1094

async function kill(session: Session, id: number): Promise<void> {
  try {
    await session.run(`KILL ${id}`)
  } catch (error) {
    if (!(error instanceof AppError && error.details?.['errno'] === noSuchThread)) throw error
  }
}
