/**
 * The ledger of a MySQL database. A statement that makes or renames a table commits by itself there. So where rows come as a
 * table of their own, the ledger says first what they come to; then one RENAME puts that table in its place and, in the
 * same step, another aside, whose name then tells that it has happened, whatever has become of the session.
 */
import { AppError } from '../../errors.ts'
import { mysqlNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { DeliveryId } from '../../ports.ts'
import { findTable } from './catalog.ts'
import type { Session } from './session.ts'
import {
  type Committed,
  type Counts,
  keptName,
  keptTable,
  ledgerTable,
  overtaken,
  parseTable,
  tableIdentifier,
} from '../tables.ts'

/**
 * The name of the lock that the session of a delivery holds for as long as it lives. So there is but one, and it is known
 * which.
 */
const lock = `CONCAT('rowmill ', SHA1(CONCAT_WS(' ', DATABASE(), task, output)))`

/** Seconds that a session may take to end, and to take back what it has done. */
const patience = 30

/** A new table has none to put aside: this one goes aside then, by the first name before and the second after. */
export const markerTable = (staging: string) => staging.replace('stage', 'mark')
export const doneTable = (staging: string) => staging.replace('stage', 'done')

/** An attempt's hold on its row of the ledger. */
export class LedgerRow {
  readonly #session: Session
  readonly #id: DeliveryId
  readonly #attempt: number
  readonly #target: Target

  constructor(session: Session, id: DeliveryId, attempt: number, target: Target) {
    this.#session = session
    this.#id = id
    this.#attempt = attempt
    this.#target = target
  }

  /**
   * Makes the attempt the one that may commit. What an earlier one still does is ended before, since it may hold the
   * ledger's row, and after, since it may just have come.
   * @throws {AppError} conflict, when a later one has come; unavailable, when an earlier one does not end.
   */
  async register(): Promise<Committed | undefined> {
    const { task, output } = this.#id
    const { table, mode } = this.#target
    await this.#createLedger()
    await this.#endEarlier()
    await this.#session.run(
      `INSERT INTO ${ledgerTable} (task, output, attempt, target, mode) VALUES (?, ?, 0, ?, ?)
       ON DUPLICATE KEY UPDATE output = output`,
      [task, output, table, mode],
    )
    const { affectedRows } = await this.#session.run(
      `UPDATE ${ledgerTable} SET attempt = ? WHERE task = ? AND output = ? AND attempt < ?`,
      [this.#attempt, task, output, this.#attempt],
    )
    if (affectedRows !== 1) throw overtaken(this.#id)
    await this.#endEarlier()
    await this.#takeLock()
    await this.settle()
    return await this.#committed()
  }

  /** Says which table the rows are on their way in, before there is one: who comes later drops it. */
  async stage(staging: string): Promise<void> {
    await this.#write('staging = ?, ready_at = NULL, kept = NULL', [staging])
  }

  /** Says what the staged rows come to. @param kept the table that is put aside for them, if any. */
  async ready({ inserted, updated, unchanged }: Counts, kept: string | null): Promise<void> {
    const values = [inserted, updated, unchanged, kept]
    await this.#write('inserted = ?, updated = ?, unchanged = ?, kept = ?, ready_at = UTC_TIMESTAMP(6)', values)
  }

  /** Within the transaction of the rows. */
  async commit({ inserted, updated, unchanged }: Counts): Promise<void> {
    const values = [inserted, updated, unchanged]
    await this.#write('inserted = ?, updated = ?, unchanged = ?, kept = NULL, committed_at = UTC_TIMESTAMP(6)', values)
  }

  /**
   * Finds out what has become of staged rows: of this delivery's, and, as far as it goes, of those that other deliveries
   * have left behind.
   */
  async settle(): Promise<void> {
    const { task, output } = this.#id
    const rows = await this.#session.rows<Staged>(
      `SELECT task, output, target, staging, kept, ready_at IS NOT NULL AS ready FROM ${ledgerTable}
       WHERE staging IS NOT NULL AND (task = ? AND output = ? OR IS_FREE_LOCK(${lock}))`,
      [task, output],
    )
    for (const row of rows) {
      const isOurs = row.task === task && row.output === output
      await settle(this.#session, row).catch((error: unknown) => {
        if (isOurs) throw error
      })
    }
  }

  /** @throws {AppError} conflict, when the row is a later attempt's. */
  async #write(assignments: string, values: readonly unknown[]): Promise<void> {
    const { affectedRows } = await this.#session.run(
      `UPDATE ${ledgerTable} SET ${assignments} WHERE task = ? AND output = ? AND attempt = ?`,
      [...values, this.#id.task, this.#id.output, this.#attempt],
    )
    if (affectedRows !== 1) throw overtaken(this.#id)
  }

  /** One previous table is kept, and no more. */
  async dropKept(): Promise<void> {
    const { task, output } = this.#id
    const rows = await this.#session.rows<{ kept: string }>(
      `SELECT kept FROM ${ledgerTable}
       WHERE target = ? AND kept IS NOT NULL AND committed_at IS NOT NULL AND NOT (task = ? AND output = ?)`,
      [this.#target.table, task, output],
    )
    for (const { kept } of rows) {
      await this.#session.run(`DROP TABLE IF EXISTS ${keptName(kept)}`)
      await this.#session.run(`UPDATE ${ledgerTable} SET kept = NULL WHERE kept = ?`, [kept])
    }
  }

  async #createLedger(): Promise<void> {
    const session = this.#session
    if ((await findTable(session, { schema: session.database, table: ledgerTable })) !== undefined) return
    await session.run(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (
      task varchar(64) NOT NULL, output varchar(64) NOT NULL, attempt bigint NOT NULL, target text NOT NULL,
      mode varchar(16) NOT NULL, inserted bigint, updated bigint, unchanged bigint, kept text, staging text,
      ready_at datetime(6), committed_at datetime(6), PRIMARY KEY (task, output)) ENGINE = InnoDB COLLATE utf8mb4_bin`)
  }

  async #endEarlier(): Promise<void> {
    const { task, output } = this.#id
    const sessions = await this.#session.rows<{ id: number | null }>(
      `SELECT IS_USED_LOCK(${lock}) AS id FROM ${ledgerTable}
       WHERE task = ? AND (attempt < ? OR output = ? AND attempt = ?)`,
      [task, this.#attempt, output, this.#attempt],
    )
    for (const { id } of sessions) if (id !== null) await kill(this.#session, id)
  }

  async #takeLock(): Promise<void> {
    const { task, output } = this.#id
    const [taken] = await this.#session.rows<{ held: number | null }>(
      `SELECT GET_LOCK(${lock}, ${patience}) AS held FROM ${ledgerTable} WHERE task = ? AND output = ?`,
      [task, output],
    )
    if (taken?.held === 1) return
    throw new AppError(
      'unavailable',
      `The database ${this.#session.sink} (MySQL) still takes back what an earlier attempt at output ${output} of task ${task} has done. Try again.`,
    )
  }

  async #committed(): Promise<Committed | undefined> {
    const [row] = await this.#session.rows<{ attempt: number; committed: number; superseded: number } & Counts>(
      `SELECT attempt, committed_at IS NOT NULL AS committed, inserted, updated, unchanged, EXISTS (
         SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = known.target AND other.committed_at > known.committed_at
       ) AS superseded FROM ${ledgerTable} AS known WHERE task = ? AND output = ?`,
      [this.#id.task, this.#id.output],
    )
    if (row?.attempt !== this.#attempt) throw overtaken(this.#id)
    return row.committed === 1 ? { ...row, superseded: row.superseded === 1 } : undefined
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

interface Staged extends DeliveryId {
  readonly target: string
  readonly staging: string
  readonly kept: string | null
  readonly ready: number
}

/**
 * Finds out whether staged rows are in their place, and removes what nobody needs any more. A rename that was still to
 * come fails without its table.
 */
async function settle(session: Session, { task, output, target, staging, kept, ready }: Staged): Promise<void> {
  const { schema } = parseTable(target)
  const drop = (...tables: string[]) => {
    const list = tables.map((table) => tableIdentifier({ schema, table }, mysqlNames))
    return session.run(`DROP TABLE IF EXISTS ${list.join(', ')}`)
  }
  await drop(staging, markerTable(staging))
  const aside = kept === null ? doneTable(staging) : keptTable({ task, output })
  if (ready === 1 && (await findTable(session, { schema, table: aside })) !== undefined) {
    await session.run(
      `UPDATE ${ledgerTable} SET committed_at = ready_at WHERE task = ? AND output = ? AND committed_at IS NULL`,
      [task, output],
    )
  }
  await drop(doneTable(staging))
  await session.run(`UPDATE ${ledgerTable} SET staging = NULL WHERE task = ? AND output = ? AND staging = ?`, [
    task,
    output,
    staging,
  ])
}
