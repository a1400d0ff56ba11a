/**
 * Locks of MySQL's that have a name, live as long as their session, and hold nobody up who does not ask for them. Each is
 * written for a query of the ledger, whose row it is for.
 */
import type { DeliveryId } from '../../ports.ts'
import type { Session } from './session.ts'
import { ledgerTable } from '../tables.ts'

const named = (purpose: string, whose = 'task, output') =>
  `CONCAT('rowmill ${purpose}', SHA1(CONCAT_WS(' ', DATABASE(), ${whose})))`

/** The session of a delivery holds it, for as long as it lives: so there is but one, and it is known which. */
export const sessionLock = named('')

/** Whoever finds out what has become of a delivery holds it meanwhile, so that no new attempt begins to write then. */
export const settleLock = named('settle ')

/**
 * An undo that brings a table back holds that of its target, looks then who has loaded it since, and renames. A load says
 * first that it is about to commit, and looks then whether somebody holds it. So one of the two sees the other.
 */
export const swapLock = named('swap ', 'target')

/** @param seconds that it may take; 0: now or never. */
export async function takeLock(session: Session, lock: string, id: DeliveryId, seconds: number): Promise<boolean> {
  const [row] = await session.rows<{ held: number | null }>(
    `SELECT GET_LOCK(${lock}, ${seconds}) AS held FROM ${ledgerTable} WHERE task = ? AND output = ?`,
    [id.task, id.output],
  )
  return row?.held === 1
}

export async function releaseLock(session: Session, lock: string, { task, output }: DeliveryId): Promise<void> {
  await session.rows(`SELECT RELEASE_LOCK(${lock}) FROM ${ledgerTable} WHERE task = ? AND output = ?`, [task, output])
}
