/**
 * Tables of PostgreSQL (14 and later), loaded by COPY. Rows and ledger row commit together; rows of a table that is new,
 * or takes the place of another, may be copied over several connections into a staging table, which then becomes it.
 */
import { AppError } from '../../errors.ts'
import type { Fail } from '../../failpoints.ts'
import { identifier, postgresNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { Delivered, Delivery, DeliveryId, Produced, ProducedColumn, TableSink, WriteOptions } from '../../ports.ts'
import { columnsOf, findTable, type Found, inherit, needUniqueKey, refuseDependents } from './catalog.ts'
import { copyRows } from './copy.ts'
import { connect, register, type Session, sessionName } from './session.ts'
import { columnSql } from './types.ts'
import {
  allInserted,
  checkTaken,
  checkUnmoved,
  type Committed,
  type Counts,
  cutBy,
  delivered,
  deliveredBefore,
  keptName,
  keptTable,
  keyColumns,
  ledgerTable,
  overtaken,
  parseTable,
  stagingTable,
  tableIdentifier,
  type TableName,
  taskColumn,
} from '../tables.ts'

/**
 * @param name of the sink, as pipelines know it.
 * @param url besides what the driver knows, `connections` (of 1 to 8) says over how many rows are copied.
 */
export function postgresSink(name: string, url: string, fail?: Fail): TableSink {
  const { server, connections } = parseUrl(name, url)
  return {
    kind: 'tables',
    rows: 'tabbed',
    async check(target) {
      await using session = await connect(name, server, 'rowmill')
      return await session.told(async () => {
        const found = await findTable(session.client, parseTable(target.table))
        return found === undefined ? undefined : await columnsOf(session.client, found)
      })
    },
    async begin(id, attempt, target) {
      const open = () => connect(name, server, sessionName(id, attempt))
      const session = await open()
      try {
        const committed = await session.told(() => register(session.client, id, attempt, target))
        const more = Array.from({ length: connections - 1 }, () => open)
        return new PostgresDelivery({ name, id, attempt, target, session, more, fail }, committed)
      } catch (error) {
        await session[Symbol.asyncDispose]()
        throw error
      }
    },
  }
}

const mostConnections = 8

function parseUrl(name: string, url: string): { server: string; connections: number } {
  const parsed = new URL(url)
  const connections = Number(parsed.searchParams.get('connections') ?? 1)
  parsed.searchParams.delete('connections')
  if (Number.isInteger(connections) && connections >= 1 && connections <= mostConnections) {
    return { server: parsed.href, connections }
  }
  const setting = `ROWMILL_SINK_${name.toUpperCase()}_URL`
  throw new AppError('invalid', `${setting}: connections is a whole number from 1 to ${mostConnections}.`)
}

interface DeliveryOptions {
  readonly name: string
  readonly id: DeliveryId
  readonly attempt: number
  readonly target: Target
  readonly session: Session
  /** Opens further sessions, one each. */
  readonly more: readonly (() => Promise<Session>)[]
  readonly fail: Fail
}

class PostgresDelivery implements Delivery {
  readonly delivered: Delivery['delivered']
  readonly #options: DeliveryOptions
  readonly #name: TableName
  /** What the rows have come to, once they are written. */
  #counts: Counts | undefined
  /** What puts the new table in its place, from which on nobody can read the old one until the commit. */
  #swap: readonly string[] = []
  /** Where the old table is kept. */
  #kept: string | null = null
  /** A staging table that is committed already. */
  #staging: string | undefined

  constructor(options: DeliveryOptions, committed: Committed | undefined) {
    const { name, id, target } = options
    this.#options = options
    this.#name = parseTable(target.table)
    this.delivered = deliveredBefore(name, id, target, committed)
  }

  /** Everything but the commit. */
  async write(produced: Produced, options: WriteOptions): Promise<void> {
    const { session } = this.#options
    this.#counts = await cutBy(options.signal, session.cut, () => session.told(() => this.#write(produced, options)))
  }

  async #write(produced: Produced, options: WriteOptions): Promise<Counts> {
    const { session, target } = this.#options
    await this.#begin()
    const found = await findTable(session.client, this.#name)
    checkUnmoved(found !== undefined, target, produced)
    if (target.mode === 'upsert') return await this.#upsert(found, produced, options)
    if (target.mode === 'replace') return await this.#replace(found, produced, options)
    return await this.#append(found, produced, options)
  }

  async commit(): Promise<Delivered> {
    const { name, id, attempt, target, session, fail } = this.#options
    const counts = this.#counts
    if (counts === undefined) throw new Error(`output ${id.output} is committed before it is written`)
    await session.told(async () => {
      if (this.#kept !== null) await this.#dropKept()
      for (const sql of this.#swap) await this.#run(sql)
      fail?.('before-ledger')
      const { rowCount } = await session.client.query(
        `UPDATE ${ledgerTable} SET inserted = $4, updated = $5, unchanged = $6, kept = $7, committed_at = clock_timestamp()
         WHERE task = $1 AND output = $2 AND attempt = $3`,
        [id.task, id.output, attempt, counts.inserted, counts.updated, counts.unchanged, this.#kept],
      )
      if (rowCount !== 1) throw overtaken(id)
      fail?.('after-ledger')
      fail?.('before-commit')
      await this.#run('COMMIT')
      this.#staging = undefined
      fail?.('after-commit')
    })
    return delivered(name, id, target, counts)
  }

  async #begin(session: Session = this.#options.session): Promise<void> {
    await session.client.query('BEGIN')
    await session.client.query(`SET LOCAL rowmill.task = '${this.#options.id.task}'`)
  }

  async #append(found: Found | undefined, produced: Produced, options: WriteOptions): Promise<Counts> {
    const table = this.#identifier()
    if (found === undefined) return await this.#build(produced, options)
    await this.#addColumns(table, produced)
    return allInserted(await this.#copy(table, produced, options))
  }

  /** The old table stays in its place, and readable, until the new one is whole. */
  async #replace(found: Found | undefined, produced: Produced, options: WriteOptions): Promise<Counts> {
    if (found !== undefined) await refuseDependents(this.#options.session.client, found, this.#options.target.table)
    return await this.#build(produced, options, found)
  }

  /** A table that nobody sees before the commit, new or like the one whose place it takes. */
  async #build(produced: Produced, options: WriteOptions, old?: Found): Promise<Counts> {
    const { id, attempt, more } = this.#options
    const beside = (table: string) =>
      tableIdentifier({ schema: old?.schema ?? this.#name.schema, table }, postgresNames)
    const isShared = more.length > 0
    const isStaged = old !== undefined || isShared
    const staging = isStaged ? beside(stagingTable(id, attempt)) : this.#identifier()
    if (old === undefined) await this.#create(staging, produced, [])
    else {
      await this.#run(`CREATE TABLE ${staging} (LIKE ${this.#identifier()} INCLUDING ALL)`)
      await this.#addColumns(staging, produced)
    }
    const rows = isShared
      ? await this.#copyShared(staging, produced, options)
      : await this.#copy(staging, produced, options)
    const kept = keptTable(id)
    if (old !== undefined) {
      // Not before the last transaction, or a staging table that is given up could not be dropped.
      await inherit(this.#options.session.client, old, staging)
      this.#kept = beside(kept)
    }
    this.#swap = [
      ...(old === undefined ? [] : [`ALTER TABLE ${this.#identifier()} RENAME TO ${identifier(kept, postgresNames)}`]),
      ...(isStaged ? [`ALTER TABLE ${staging} RENAME TO ${identifier(this.#name.table, postgresNames)}`] : []),
    ]
    return allInserted(rows)
  }

  /** One previous table is kept, and no more. */
  async #dropKept(): Promise<void> {
    const { client } = this.#options.session
    const { rows } = await client.query<{ kept: string }>(
      `SELECT kept FROM ${ledgerTable} WHERE target = $1 AND kept IS NOT NULL`,
      [this.#options.target.table],
    )
    for (const { kept } of rows) await this.#run(`DROP TABLE IF EXISTS ${keptName(kept)}`)
    await client.query(`UPDATE ${ledgerTable} SET kept = NULL WHERE target = $1`, [this.#options.target.table])
  }

  async #upsert(found: Found | undefined, produced: Produced, options: WriteOptions): Promise<Counts> {
    const { client } = this.#options.session
    const table = this.#identifier()
    const key = keyColumns(this.#options.target, produced)
    if (found === undefined) await this.#create(table, produced, key)
    else {
      await needUniqueKey(client, found, key, this.#options.target.table)
      await this.#addColumns(table, produced)
    }
    const names = columnList(produced)
    const staging = identifier(stagingTable(this.#options.id, this.#options.attempt), postgresNames)
    await this.#run(`CREATE TEMPORARY TABLE ${staging} ON COMMIT DROP AS SELECT ${names} FROM ${table} WITH NO DATA`)
    const rows = await this.#copy(staging, produced, options)
    const quoted = (columns: readonly string[]) => columns.map((name) => identifier(name, postgresNames))
    const others = quoted(produced.columns?.map(({ name }) => name).filter((name) => !key.includes(name)) ?? [])
    const same = `(${others.map((name) => `known.${name}`).join(', ')}) IS DISTINCT FROM (${others.map((name) => `excluded.${name}`).join(', ')})`
    const change =
      others.length === 0
        ? 'DO NOTHING'
        : `DO UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')} WHERE ${same}`
    // A row that was there before has a transaction in xmax, which has locked it.
    const { rows: counted } = await client.query<{ inserted: string; updated: string }>(
      `WITH written AS (
         INSERT INTO ${table} AS known (${names}) SELECT ${names} FROM ${staging}
         ON CONFLICT (${quoted(key).join(', ')}) ${change} RETURNING xmax = 0 AS is_new)
       SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated FROM written`,
    )
    const inserted = Number(counted[0]?.inserted)
    const updated = Number(counted[0]?.updated)
    const { rows: present } = await client.query<{ there: string }>(
      `SELECT count(*) AS there FROM ${staging} JOIN ${table} USING (${quoted(key).join(', ')})`,
    )
    checkTaken(Number(present[0]?.there), rows)
    return { inserted, updated, unchanged: rows - inserted - updated }
  }

  #identifier(): string {
    return tableIdentifier(this.#name, postgresNames)
  }

  async #create(table: string, { columns = [] }: Produced, key: readonly string[]): Promise<void> {
    const lines = columns.map((column) => columnSql(column))
    // Default: the task of the session that copies, since a row in COPY's stream does not name it.
    if (this.#options.target.mode === 'append') {
      lines.push(`${identifier(taskColumn, postgresNames)} text DEFAULT current_setting('rowmill.task', true)`)
    }
    if (key.length > 0) lines.push(`PRIMARY KEY (${key.map((name) => identifier(name, postgresNames)).join(', ')})`)
    await this.#run(`CREATE TABLE ${table} (${lines.join(', ')})`)
  }

  async #addColumns(table: string, { columns = [] }: Produced): Promise<void> {
    for (const column of columns.filter(({ isThere }) => !isThere)) {
      await this.#run(`ALTER TABLE ${table} ADD COLUMN ${columnSql(column)}`)
    }
  }

  async #copy(table: string, produced: Produced, options: WriteOptions): Promise<number> {
    return await this.#copyOver([this.#options.session], table, produced, options)
  }

  /** The staging table is committed before, so that all sessions see it, and again when it is full. */
  async #copyShared(table: string, produced: Produced, options: WriteOptions): Promise<number> {
    const { session, more } = this.#options
    await this.#run('COMMIT')
    this.#staging = table
    await using others = new AsyncDisposableStack()
    const sessions = [session]
    for (const open of more) sessions.push(others.use(await open()))
    await Promise.all(sessions.map((one) => this.#begin(one)))
    const cut = () => sessions.forEach((one) => one.cut())
    const rows = await cutBy(options.signal, cut, () => this.#copyOver(sessions, table, produced, options))
    await Promise.all(sessions.map(({ client }) => client.query('COMMIT')))
    await this.#begin()
    return rows
  }

  async #copyOver(
    sessions: readonly Session[],
    table: string,
    produced: Produced,
    { signal }: WriteOptions,
  ): Promise<number> {
    const clients = sessions.map(({ client }) => client)
    const sql = `COPY ${table} (${columnList(produced)}) FROM STDIN`
    const rows = await copyRows(clients, sql, produced.open(signal), signal)
    checkTaken(rows, produced.rows)
    return rows
  }

  async #run(sql: string): Promise<void> {
    await this.#options.session.client.query(sql)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be dropped now is by whoever loads next.
    if (this.#staging !== undefined) await this.#run(`ROLLBACK; DROP TABLE ${this.#staging}`).catch(() => undefined)
    await this.#options.session[Symbol.asyncDispose]()
  }
}

function columnList({ columns = [] }: { readonly columns?: readonly ProducedColumn[] }): string {
  return columns.map(({ name }) => identifier(name, postgresNames)).join(', ')
}
