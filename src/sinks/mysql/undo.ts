/** Loads that are taken back: rows by what they are marked with, or by what was kept of them; a table as a whole. */
import type { Fail } from '../../failpoints.ts'
import { mysqlNames } from '../../identifiers.ts'
import type { Undone } from '../../balances.ts'
import type { DeliveryId, Undoable, Undoing } from '../../ports.ts'
import {
  columnNamed,
  findTable,
  type Found,
  needTransactions,
  needUniqueKey,
  type Place,
  placeOf,
  refuseDependents,
} from './catalog.ts'
import { keptColumns, leftKeys } from './kept.ts'
import { findLoad, LedgerRow, type LoadRow } from './ledger.ts'
import type { Session } from './session.ts'
import { takeBack, takeOut } from './take-back.ts'
import { cannotUndo } from '../refusals.ts'
import { type Counts, cutBy, keptTable, stagingTable, tableIdentifier, taskColumn } from '../tables.ts'

interface Asked {
  readonly session: Session
  readonly id: DeliveryId
  readonly attempt: number
  readonly of: Undoable
  readonly fail: Fail
}

interface Begun extends Asked {
  readonly place: Place
  readonly ledger: LedgerRow
}

/** @throws {AppError} conflict, when it cannot be taken back. */
export async function beginUndo(asked: Asked): Promise<Undoing> {
  const { session, id, attempt, of } = asked
  const place = placeOf(session, of.target.table)
  const ledger = new LedgerRow(session, id, attempt, place, 'undo', of.task)
  const begun = { ...asked, place, ledger }
  const committed = await ledger.register()
  if (committed === undefined) return new MysqlUndoing(begun, await findSubject(begun))
  const kept = of.target.mode === 'upsert' ? await findKept(begun) : undefined
  return new MysqlUndoing(begun, await undone(begun, committed, kept))
}

/** What is to be taken back. */
interface Subject {
  readonly load: LoadRow
  readonly found: Found
  /** What was kept of it. */
  readonly kept: Found | undefined
}

/** @throws {AppError} conflict, saying what is in the way. */
async function findSubject(begun: Begun): Promise<Subject> {
  const { session, of, place } = begun
  const refused = (why: Parameters<typeof cannotUndo>[1]) => cannotUndo(session.table, why)
  const load = await findLoad(session, of)
  if (load === undefined || !load.isCommitted) throw refused('unknown')
  const { mode, superseded, isLoadedSince, undoable } = load
  if (isLoadedSince) throw refused('loadedSince')
  if (!undoable) throw refused(mode === 'upsert' && superseded ? 'keptGone' : 'notKept')
  const found = await findTable(session, place)
  if (found === undefined) throw refused('tableGone')
  needTransactions(found)
  if (mode === 'append') {
    if (columnNamed(found, taskColumn) === undefined) throw refused('unmarked')
    return { load, found, kept: undefined }
  }
  const kept = load.kept === null ? undefined : await findKept(begun)
  if (kept === undefined) throw refused('keptGone')
  if (keptColumns(kept).some((name) => columnNamed(found, name) === undefined)) throw refused('changed')
  if (mode === 'replace') await refuseDependents(session, found)
  return { load, found, kept }
}

function findKept({ session, of, place: { schema } }: Begun): Promise<Found | undefined> {
  return findTable(session, { schema, table: keptTable(of) })
}

/** @param counts as the ledger has them: removed, restored and left. */
async function undone({ session, of }: Begun, counts: Counts, pairs: Found | undefined): Promise<Undone> {
  const { inserted: removed, updated: restored, unchanged: left } = counts
  const keys = pairs === undefined || left === 0 ? [] : await leftKeys(session, pairs, keyOf(pairs, of))
  return { removed, restored, left, leftKeys: keys }
}

/** The key of an upsert, as the table calls its columns. */
function keyOf(kept: Found, { target }: Undoable): string[] {
  return target.key.map((name) => columnNamed(kept, name)?.name ?? name)
}

class MysqlUndoing implements Undoing {
  readonly undone: Undone | undefined
  readonly #begun: Begun
  readonly #subject: Subject | undefined
  /** What it has come to, once it is written. */
  #outcome: Undone | undefined

  /** @param found what an earlier attempt has done, or what there is to do. */
  constructor(begun: Begun, found: Undone | Subject) {
    this.#begun = begun
    if ('load' in found) this.#subject = found
    else this.undone = found
  }

  async write(signal: AbortSignal): Promise<void> {
    const { session } = this.#begun
    this.#outcome = await cutBy(signal, session.cut, () => this.#write(this.#needSubject()))
  }

  async #write({ load, found, kept }: Subject): Promise<Undone> {
    const { session, of, id, attempt, place } = this.#begun
    if (kept === undefined) {
      const removed = await takeOut(session, found, of.task)
      return { removed, restored: 0, left: Math.max(0, load.inserted - removed), leftKeys: [] }
    }
    if (load.mode === 'replace') {
      return { removed: await count(session, found), restored: await count(session, kept), left: 0, leftKeys: [] }
    }
    const key = keyOf(kept, of)
    const index = await needUniqueKey(session, found, key)
    const staging = tableIdentifier({ schema: place.schema, table: stagingTable(id, attempt) }, mysqlNames)
    const { removed, restored, left } = await takeBack(session, { found, kept, key, index, staging })
    return await undone(this.#begun, { inserted: removed, updated: restored, unchanged: left }, kept)
  }

  async commit(): Promise<Undone> {
    const { session, ledger, id, fail } = this.#begun
    const outcome = this.#outcome
    if (outcome === undefined) throw new Error(`the undo of output ${id.output} is committed before it is written`)
    const { removed: inserted, restored: updated, left: unchanged } = outcome
    const counts = { inserted, updated, unchanged }
    fail?.('before-ledger')
    const { load, kept } = this.#needSubject()
    if (load.mode === 'replace' && kept !== undefined) {
      await this.#swap(counts, kept)
      return outcome
    }
    await ledger.commit({ ...counts, undoable: false, kept: null })
    fail?.('after-ledger')
    fail?.('before-commit')
    await session.run('COMMIT')
    fail?.('after-commit')
    return outcome
  }

  /** The kept table comes back, and the present one goes aside, in one step. */
  async #swap(counts: Counts, kept: Found): Promise<void> {
    const { session, ledger, of, id, place, fail } = this.#begun
    await ledger.keepOthersOut()
    const load = await findLoad(session, of)
    if (load?.isLoadedSince !== false || load.kept === null) throw cannotUndo(session.table, 'loadedSince')
    const aside = tableIdentifier({ schema: place.schema, table: keptTable(id) }, mysqlNames)
    await ledger.stage(load.kept)
    await ledger.ready({ ...counts, undoable: false, kept: aside })
    fail?.('after-ledger')
    fail?.('before-commit')
    await session.run(`RENAME TABLE ${place.sql} TO ${aside}, ${kept.sql} TO ${place.sql}`)
    fail?.('after-commit')
    await ledger.settle()
  }

  #needSubject(): Subject {
    if (this.#subject === undefined) throw new Error('what is undone already is undone again')
    return this.#subject
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun.session[Symbol.asyncDispose]()
  }
}

async function count(session: Session, { sql }: Found): Promise<number> {
  const [row] = await session.rows<{ rows: number }>(`SELECT count(*) AS \`rows\` FROM ${sql}`)
  return row?.rows ?? 0
}
