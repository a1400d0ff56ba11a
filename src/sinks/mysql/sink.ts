/**
 * Tables of MySQL 8 and MariaDB (10.6 and later, whose RENAME is atomic), loaded by LOAD DATA LOCAL INFILE. Rows and ledger
 * row commit together; a whole table of them takes its place by one RENAME.
 */
import type { Fail } from '../../failpoints.ts'
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { Delivered, Delivery, DeliveryId, Produced, TableSink, WriteOptions } from '../../ports.ts'
import { columnsOf, findTable, type Found, needTransactions, needUniqueKey, refuseDependents } from './catalog.ts'
import { doneTable, LedgerRow, markerTable } from './ledger.ts'
import { loadRows } from './load.ts'
import { connect, type Session } from './session.ts'
import { columnSql, keyText } from './types.ts'
import { upsertRows } from './upsert.ts'
import {
  allInserted,
  checkUnmoved,
  type Committed,
  type Counts,
  cutBy,
  delivered,
  deliveredBefore,
  keptTable,
  keyColumns,
  parseTable,
  stagingTable,
  tableIdentifier,
  taskColumn,
} from '../tables.ts'

/** @param name of the sink, as pipelines know it. */
export function mysqlSink(name: string, url: string, fail?: Fail): TableSink {
  const open = () => connect(name, url)
  return {
    kind: 'tables',
    rows: 'tabbed',
    async check(target) {
      await using session = await open()
      const found = await findTable(session, parseTable(target.table))
      return found === undefined ? undefined : columnsOf(found)
    },
    async begin(id, attempt, target) {
      const session = await open()
      try {
        const ledger = new LedgerRow(session, id, attempt, target)
        const committed = await ledger.register()
        return new MysqlDelivery({ session, open, ledger, id, attempt, target, committed, fail })
      } catch (error) {
        await session[Symbol.asyncDispose]()
        throw error
      }
    },
  }
}

interface Begun {
  readonly session: Session
  readonly open: () => Promise<Session>
  readonly ledger: LedgerRow
  readonly id: DeliveryId
  readonly attempt: number
  readonly target: Target
  readonly committed: Committed | undefined
  readonly fail: Fail
}

class MysqlDelivery implements Delivery {
  readonly delivered: Delivery['delivered']
  readonly #begun: Begun
  readonly #session: Session
  readonly #target: Target
  /** Where rows wait that come as a table of their own. */
  readonly #staging: string
  #staged: 'no' | 'new' | 'replacement' = 'no'
  /** What the rows have come to, once they are written. */
  #counts: Counts | undefined

  constructor(begun: Begun) {
    const { session, id, attempt, target, committed } = begun
    this.#begun = begun
    this.#session = session
    this.#target = target
    this.#staging = stagingTable(id, attempt)
    this.delivered = deliveredBefore(session.sink, id, target, committed)
  }

  /** Everything but the commit. */
  async write(produced: Produced, { signal }: WriteOptions): Promise<void> {
    this.#counts = await cutBy(signal, this.#session.cut, () => this.#write(produced, signal))
  }

  async #write(produced: Produced, signal: AbortSignal): Promise<Counts> {
    const { table, mode } = this.#target
    const found = await findTable(this.#session, parseTable(table))
    checkUnmoved(found !== undefined, this.#target, produced)
    if (found === undefined) return await this.#stageNew(produced, signal)
    needTransactions(found)
    if (mode === 'replace') return await this.#stageReplacement(found, produced, signal)
    const key = keyColumns(this.#target, produced)
    const index = mode === 'upsert' ? await needUniqueKey(this.#session, found, key) : undefined
    // It commits by itself, before the rows do. Empty columns hurt nobody who reads the table.
    await this.#addColumns(found.sql, found, produced)
    const { task } = this.#begun.id
    if (index === undefined) {
      await this.#session.run('START TRANSACTION')
      return allInserted(
        await loadRows(this.#session, { table: found.sql, like: found.columns, task }, produced, signal),
      )
    }
    const staging = this.#sql(this.#staging)
    return await upsertRows(this.#session, { found, index, key, staging, task }, produced, signal)
  }

  async #stageNew(produced: Produced, signal: AbortSignal): Promise<Counts> {
    const { ledger, id } = this.#begun
    const staging = this.#sql(this.#staging)
    await ledger.stage(this.#staging)
    this.#staged = 'new'
    await this.#create(staging, produced)
    const like = this.#target.mode === 'append' ? [{ name: taskColumn, type: '' }] : []
    const rows = await loadRows(this.#session, { table: staging, like, task: id.task }, produced, signal)
    await this.#session.run(`CREATE TABLE ${this.#sql(markerTable(this.#staging))} (nothing int PRIMARY KEY)`)
    return allInserted(rows)
  }

  /** The old table stays in its place, and readable, until the new one is whole. */
  async #stageReplacement(found: Found, produced: Produced, signal: AbortSignal): Promise<Counts> {
    const { ledger, id } = this.#begun
    await refuseDependents(this.#session, found)
    const staging = this.#sql(this.#staging)
    await ledger.stage(this.#staging)
    this.#staged = 'replacement'
    await this.#session.run(`CREATE TABLE ${staging} LIKE ${found.sql}`)
    await this.#addColumns(staging, found, produced)
    return allInserted(
      await loadRows(this.#session, { table: staging, like: found.columns, task: id.task }, produced, signal),
    )
  }

  async commit(): Promise<Delivered> {
    const { ledger, id, fail } = this.#begun
    const counts = this.#counts
    if (counts === undefined) throw new Error(`output ${id.output} is committed before it is written`)
    fail?.('before-ledger')
    if (this.#staged === 'no') {
      await ledger.commit(counts)
      fail?.('after-ledger')
      fail?.('before-commit')
      await this.#session.run('COMMIT')
      fail?.('after-commit')
    } else await this.#putInPlace(counts)
    return delivered(this.#session.sink, id, this.#target, counts)
  }

  async #putInPlace(counts: Counts): Promise<void> {
    const { ledger, id, fail } = this.#begun
    const table = tableIdentifier(parseTable(this.#target.table), mysqlNames)
    const isNew = this.#staged === 'new'
    const old = isNew ? this.#sql(markerTable(this.#staging)) : table
    const aside = this.#sql(isNew ? doneTable(this.#staging) : keptTable(id))
    await ledger.ready(counts, isNew ? null : aside)
    fail?.('after-ledger')
    fail?.('before-commit')
    await this.#session.run(`RENAME TABLE ${old} TO ${aside}, ${this.#sql(this.#staging)} TO ${table}`)
    fail?.('after-commit')
    await ledger.settle()
    this.#staged = 'no'
    // What cannot be dropped now is dropped when the table is replaced again.
    if (!isNew) await ledger.dropKept().catch(() => undefined)
  }

  async #create(table: string, { columns = [], ...produced }: Produced): Promise<void> {
    const key = keyColumns(this.#target, { columns, ...produced })
    const inKey = columns.filter(({ name }) => key.includes(name))
    const lines = columns.map((column) => columnSql(column, inKey.includes(column) ? keyText(inKey) : 'longtext'))
    if (this.#target.mode === 'append') lines.push(`${identifier(taskColumn, mysqlNames)} varchar(26)`)
    if (key.length > 0) lines.push(`PRIMARY KEY (${key.map((name) => identifier(name, mysqlNames)).join(', ')})`)
    await this.#session.run(
      `CREATE TABLE ${table} (${lines.join(', ')}) ENGINE = InnoDB COLLATE ${this.#session.collation}`,
    )
  }

  async #addColumns(table: string, found: Found, { columns = [] }: Produced): Promise<void> {
    const known = new Set(found.columns.map(({ name }) => name.toLowerCase()))
    const added = columns
      .filter(({ name, isThere }) => !isThere && !known.has(name.toLowerCase()))
      .map((column) => `ADD COLUMN ${columnSql(column, `longtext COLLATE ${this.#session.collation}`)}`)
    if (added.length > 0) await this.#session.run(`ALTER TABLE ${table} ${added.join(', ')}`)
  }

  /** A table of our own, beside the target. */
  #sql(table: string): string {
    return tableIdentifier({ schema: parseTable(this.#target.table).schema, table }, mysqlNames)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]()
    if (this.#staged === 'no') return
    try {
      await using session = await this.#begun.open()
      await session.run(`DROP TABLE IF EXISTS ${this.#sql(this.#staging)}, ${this.#sql(markerTable(this.#staging))}`)
    } catch {
      // Out of reach: the next delivery to this database finds it in the ledger.
    }
  }
}
