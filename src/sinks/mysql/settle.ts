/** What has become of deliveries that nobody was told of: tables in their place, or on their way for ever. */
import { mysqlNames } from '../../identifiers.ts'
import type { DeliveryId } from '../../ports.ts'
import { findTable } from './catalog.ts'
import { releaseLock, sessionLock, settleLock, takeLock } from './locks.ts'
import type { Session } from './session.ts'
import { keptName, keptTable, ledgerTable, parseTable, stagingPrefix, tableIdentifier } from '../tables.ts'

/** A new table has none to put aside: this one goes aside then, by the first name before and the second after. */
export const markerTable = (staging: string) => staging.replace('stage', 'mark')
export const doneTable = (staging: string) => staging.replace('stage', 'done')

interface Staged extends DeliveryId {
  readonly target: string
  readonly mode: string
  readonly staging: string
  readonly kept: string | null
  readonly ready: number
  readonly committed: number
}

/**
 * By whoever holds the delivery's session lock.
 * @param seconds to wait for somebody who is at it already.
 * @returns false when it has taken longer.
 */
export async function settleOwn(session: Session, id: DeliveryId, seconds: number): Promise<boolean> {
  if (!(await takeLock(session, settleLock, id, seconds))) return false
  try {
    const row = await findStaged(session, id)
    if (row !== undefined) await settle(session, row)
  } finally {
    await releaseLock(session, settleLock, id)
  }
  return true
}

/** What a delivery has left behind whose session is about to end; not when it takes longer, or another has begun. */
export async function settleEnded(session: Session, id: DeliveryId): Promise<void> {
  if (await takeLock(session, sessionLock, id, 3)) await settleOwn(session, id, 0)
}

/** What other deliveries have left behind whose sessions have ended, as far as it goes. */
export async function settleLeft(session: Session): Promise<void> {
  const ids = await session.rows<DeliveryId>(
    `SELECT task, output FROM ${ledgerTable} WHERE staging IS NOT NULL AND IS_FREE_LOCK(${sessionLock})`,
  )
  for (const id of ids) {
    if (!(await takeLock(session, settleLock, id, 0))) continue
    // A new attempt may have begun, and even ended, since.
    const row = await findStaged(session, id, `AND IS_FREE_LOCK(${sessionLock})`)
    if (row !== undefined) await settle(session, row).catch(() => undefined)
    await releaseLock(session, settleLock, id)
  }
}

async function findStaged(session: Session, id: DeliveryId, condition = ''): Promise<Staged | undefined> {
  const [row] = await session.rows<Staged>(
    `SELECT task, output, target, mode, staging, kept, ready_at IS NOT NULL AS ready, committed_at IS NOT NULL AS committed
     FROM ${ledgerTable} WHERE task = ? AND output = ? AND staging IS NOT NULL ${condition}`,
    [id.task, id.output],
  )
  return row
}

/**
 * Finds out whether tables are in their place, and removes what nobody needs any more. A rename that was still to come
 * fails without its table; that of an undo has come, or never does, since its session has ended.
 */
async function settle(session: Session, row: Staged): Promise<void> {
  const { task, output, target, mode, staging, kept } = row
  const { schema = session.database } = parseTable(target)
  const drop = (...tables: string[]) => {
    const list = tables.map((table) => tableIdentifier({ schema, table }, mysqlNames))
    return session.run(`DROP TABLE IF EXISTS ${list.join(', ')}`)
  }
  // What an undo has put aside, and what it brings back, may be all that there is of somebody's rows.
  const isOurs = mode !== 'undo' && staging.startsWith(stagingPrefix)
  if (isOurs) await drop(staging, markerTable(staging))
  const aside = kept === null ? doneTable(staging) : keptTable(row)
  let isCommitted = row.committed === 1
  if (!isCommitted && row.ready === 1 && (await findTable(session, { schema, table: aside })) !== undefined) {
    if (mode === 'undo') await forget(session, staging)
    await session.run(
      `UPDATE ${ledgerTable} SET committed_at = ready_at WHERE task = ? AND output = ? AND committed_at IS NULL`,
      [task, output],
    )
    isCommitted = true
  }
  // Those of an upsert are pairs of rows, and never all that there is of them.
  if (isOurs)
    await drop(doneTable(staging), ...(mode === 'upsert' && !(isCommitted && kept !== null) ? [keptTable(row)] : []))
  // What cannot be dropped now is dropped when the table is replaced again.
  const takesOver = mode === 'replace' || (mode === 'upsert' && kept !== null)
  if (isCommitted && takesOver) await dropKept(session, row).catch(() => undefined)
  await session.run(`UPDATE ${ledgerTable} SET staging = NULL WHERE task = ? AND output = ? AND staging = ?`, [
    task,
    output,
    staging,
  ])
}

/** One table is kept of each target, and no more: what earlier deliveries have kept goes. */
async function dropKept(session: Session, { task, output }: DeliveryId): Promise<void> {
  const rows = await session.rows<{ kept: string }>(
    `SELECT other.kept FROM ${ledgerTable} AS own JOIN ${ledgerTable} AS other USING (target)
     WHERE own.task = ? AND own.output = ? AND NOT (other.task = own.task AND other.output = own.output)
       AND other.kept IS NOT NULL AND other.committed_at <= own.committed_at`,
    [task, output],
  )
  for (const { kept } of rows) {
    const name = keptName(kept)
    await session.run(`UPDATE ${ledgerTable} SET undoable = FALSE WHERE kept = ?`, [kept])
    await session.run(`DROP TABLE IF EXISTS ${name}`)
    await forget(session, kept)
  }
}

async function forget(session: Session, kept: string): Promise<void> {
  await session.run(`UPDATE ${ledgerTable} SET kept = NULL, undoable = FALSE WHERE kept = ?`, [kept])
}
