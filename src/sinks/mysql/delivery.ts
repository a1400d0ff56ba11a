/** An output on its way into a table. */
import type { Fail } from '../../failpoints.ts'
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { OutputBalance } from '../../balances.ts'
import type { Delivered, Delivery, DeliveryId, Produced, WriteOptions } from '../../ports.ts'
import {
  columnNamed,
  findTable,
  type Found,
  needTransactions,
  needUniqueKey,
  type Place,
  refuseDependents,
} from './catalog.ts'
import { createKept, keepAfter } from './kept.ts'
import type { LedgerRow, Outcome } from './ledger.ts'
import { loadRows } from './load.ts'
import type { Session } from './session.ts'
import { doneTable, markerTable, settleEnded } from './settle.ts'
import { columnSql, keyText } from './types.ts'
import { upsertRows } from './upsert.ts'
import {
  allInserted,
  balanceOf,
  checkUnmoved,
  type Committed,
  cutBy,
  delivered,
  deliveredBefore,
  keptTable,
  keyColumns,
  stagingTable,
  tableIdentifier,
  taskColumn,
} from '../tables.ts'

/** Milliseconds that may go by until nothing remains; then the next delivery sees to it. */
const patience = 10_000

export interface Begun {
  readonly session: Session
  readonly open: (within: AbortSignal) => Promise<Session>
  readonly ledger: LedgerRow
  readonly id: DeliveryId
  readonly attempt: number
  readonly target: Target
  readonly place: Place
  readonly committed: Committed | undefined
  readonly fail: Fail
}

export class MysqlDelivery implements Delivery {
  readonly delivered: Delivery['delivered']
  readonly #begun: Begun
  readonly #session: Session
  readonly #target: Target
  /** Where rows wait that come as a table of their own; and the table that is kept of what was there before. */
  readonly #staging: string
  readonly #kept: string
  /** What the rows are marked with, when they are to be found again. */
  readonly #mark: string | undefined
  #way: 'rows' | 'new table' | 'replacement' = 'rows'
  #isStaged = false
  /** What the rows have come to, once they are written. */
  #outcome: Outcome | undefined

  constructor(begun: Begun) {
    const { session, id, attempt, target, committed } = begun
    this.#begun = begun
    this.#session = session
    this.#target = target
    this.#staging = stagingTable(id, attempt)
    this.#kept = this.#sql(keptTable(id))
    this.#mark = target.undoable ? id.task : undefined
    this.delivered = deliveredBefore(session.sink, id, target, committed)
  }

  /** Everything but the commit. */
  async write(produced: Produced, { signal }: WriteOptions): Promise<OutputBalance> {
    const outcome = await cutBy(signal, this.#session.cut, () => this.#write(produced, signal))
    this.#outcome = outcome
    return balanceOf(outcome)
  }

  async #write(produced: Produced, signal: AbortSignal): Promise<Outcome> {
    const { mode } = this.#target
    const found = await findTable(this.#session, this.#begun.place)
    checkUnmoved(found !== undefined, this.#target, produced)
    if (found === undefined) return await this.#stageNew(produced, signal)
    needTransactions(found)
    if (mode === 'replace') return await this.#stageReplacement(found, produced, signal)
    if (mode === 'upsert') return await this.#upsert(found, produced, signal)
    await this.#addColumns(found.sql, found, produced)
    await this.#session.run('START TRANSACTION')
    const isMarked = this.#mark !== undefined && columnNamed(found, taskColumn) !== undefined
    return { ...allInserted(await this.#load(found.sql, found, produced, signal)), undoable: isMarked, kept: null }
  }

  async #upsert(found: Found, produced: Produced, signal: AbortSignal): Promise<Outcome> {
    const { place, ledger } = this.#begun
    const key = keyColumns(this.#target, produced)
    const index = await needUniqueKey(this.#session, found, key)
    // It commits by itself, before the rows do. Empty columns hurt nobody who reads the table.
    const isWider = await this.#addColumns(found.sql, found, produced)
    const now = (isWider ? await findTable(this.#session, place) : undefined) ?? found
    const kept = this.#target.undoable ? this.#kept : undefined
    if (kept !== undefined) {
      await ledger.stage(this.#staging)
      this.#isStaged = true
      await createKept(this.#session, kept, now, key)
    }
    const upsert = { found: now, index, key, staging: this.#sql(this.#staging), mark: this.#mark }
    const { isKept, ...counts } = await upsertRows(this.#session, upsert, produced, { kept, signal })
    return { ...counts, undoable: isKept, kept: isKept ? this.#kept : null }
  }

  async #stageNew(produced: Produced, signal: AbortSignal): Promise<Outcome> {
    const { mode, undoable } = this.#target
    const staging = this.#sql(this.#staging)
    const marker = this.#sql(markerTable(this.#staging))
    await this.#begun.ledger.stage(this.#staging)
    this.#isStaged = true
    this.#way = 'new table'
    const found = await this.#create(produced)
    const counts = allInserted(await this.#load(staging, found, produced, signal))
    if (mode === 'upsert' && undoable) {
      await createKept(this.#session, marker, found, keyColumns(this.#target, produced))
      await keepAfter(this.#session, marker, found, `${staging} AS known`)
      return { ...counts, undoable: true, kept: this.#kept }
    }
    await this.#session.run(`CREATE TABLE ${marker} (nothing int PRIMARY KEY)`)
    return { ...counts, undoable: mode === 'append' && undoable, kept: null }
  }

  /** The old table stays in its place, and readable, until the new one is whole. */
  async #stageReplacement(found: Found, produced: Produced, signal: AbortSignal): Promise<Outcome> {
    await refuseDependents(this.#session, found)
    const staging = this.#sql(this.#staging)
    await this.#begun.ledger.stage(this.#staging)
    this.#isStaged = true
    this.#way = 'replacement'
    await this.#session.run(`CREATE TABLE ${staging} LIKE ${found.sql}`)
    await this.#addColumns(staging, found, produced)
    const counts = allInserted(await this.#load(staging, found, produced, signal))
    const { undoable } = this.#target
    return { ...counts, undoable, kept: undoable ? this.#kept : null }
  }

  #load(table: string, { columns }: Found, produced: Produced, signal: AbortSignal): Promise<number> {
    const key = keyColumns(this.#target, produced)
    return loadRows(this.#session, { table, like: columns, key, mark: this.#mark }, produced, signal)
  }

  async commit(): Promise<Delivered> {
    const { ledger, id, fail } = this.#begun
    const outcome = this.#outcome
    if (outcome === undefined) throw new Error(`output ${id.output} is committed before it is written`)
    fail?.('before-ledger')
    if (this.#way === 'rows') {
      await ledger.commit(outcome)
      fail?.('after-ledger')
      fail?.('before-commit')
      await this.#session.run('COMMIT')
      fail?.('after-commit')
    } else await this.#putInPlace(outcome)
    const { undoable } = outcome
    if (this.#isStaged) await this.#settle()
    return delivered(this.#session.sink, id, this.#target, outcome, undoable)
  }

  async #putInPlace(outcome: Outcome): Promise<void> {
    const { ledger, place, fail } = this.#begun
    const staging = this.#sql(this.#staging)
    const old = this.#way === 'new table' ? this.#sql(markerTable(this.#staging)) : place.sql
    const aside = outcome.kept ?? this.#sql(doneTable(this.#staging))
    await ledger.ready(outcome)
    fail?.('after-ledger')
    fail?.('before-commit')
    await this.#session.run(`RENAME TABLE ${old} TO ${aside}, ${staging} TO ${place.sql}`)
    fail?.('after-commit')
  }

  async #settle(): Promise<void> {
    try {
      await this.#begun.ledger.settle()
      this.#isStaged = false
    } catch (error) {
      // Rows that are committed stay so; the rest can wait.
      if (this.#way !== 'rows') throw error
    }
  }

  async #create({ columns = [], ...produced }: Produced): Promise<Found> {
    const { mode, undoable } = this.#target
    const { schema } = this.#begun.place
    const key = keyColumns(this.#target, { columns, ...produced })
    const inKey = columns.filter(({ name }) => key.includes(name))
    const lines = columns.map((column) => columnSql(column, inKey.includes(column) ? keyText(inKey) : 'longtext'))
    if (mode === 'append' && undoable) lines.push(`${identifier(taskColumn, mysqlNames)} varchar(26)`)
    if (key.length > 0) lines.push(`PRIMARY KEY (${key.map((name) => identifier(name, mysqlNames)).join(', ')})`)
    await this.#session.run(
      `CREATE TABLE ${this.#sql(this.#staging)} (${lines.join(', ')}) ENGINE = InnoDB COLLATE ${this.#session.collation}`,
    )
    const found = await findTable(this.#session, { schema, table: this.#staging })
    if (found === undefined) throw new Error(`${this.#staging} is made and not there`)
    return found
  }

  /** @returns whether there were any to add. */
  async #addColumns(table: string, found: Found, { columns = [] }: Produced): Promise<boolean> {
    const added = columns
      .filter(({ name, isThere }) => !isThere && columnNamed(found, name) === undefined)
      .map((column) => `ADD COLUMN ${columnSql(column, `longtext COLLATE ${this.#session.collation}`)}`)
    if (added.length > 0) await this.#session.run(`ALTER TABLE ${table} ${added.join(', ')}`)
    return added.length > 0
  }

  /** A table of our own, beside the target. */
  #sql(table: string): string {
    return tableIdentifier({ schema: this.#begun.place.schema, table }, mysqlNames)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]()
    if (!this.#isStaged) return
    try {
      await using session = await this.#begun.open(AbortSignal.timeout(patience))
      await settleEnded(session, this.#begun.id)
    } catch {
      // Out of reach: the next delivery to this database finds it in the ledger.
    }
  }
}
