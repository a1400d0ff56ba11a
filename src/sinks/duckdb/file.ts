/** A DuckDB file, open in this process. Rows come as Parquet, which it reads itself. */
import { dirname } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { AppError } from '../../errors.ts'
import { duckdbNames, identifier } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import type { TargetColumn } from '../../job.ts'
import { type Ask, columnsOf, comparisonOf, definitionOf, findTable } from './catalog.ts'
import { translated } from './errors.ts'
import { cutEnd, cutEndAnew, holdReserve, makeWhole, offline } from './space.ts'
import { columnSql } from './types.ts'
import {
  type Comparison,
  type Definition,
  type FileDatabase,
  type FilePlace,
  type Found,
  type InsertOptions,
  type Into,
  type OpenFile,
  quoteText,
  type Value,
} from '../file/database.ts'
import { tableIdentifier, type TableName, taskColumn } from '../tables.ts'

export const openDuckdb: OpenFile = async (place, access, signal) => {
  const { path, sink, memory, threads } = place
  let instance: DuckDBInstance | undefined
  try {
    if (access === 'write') await makeWhole(path)
    instance = await DuckDBInstance.create(path, {
      ...offline,
      ...(access === 'look' && { access_mode: 'READ_ONLY' }),
      ...(memory !== undefined && { memory_limit: `${Math.floor(memory / 1000)}KB` }),
      ...(threads !== undefined && threads > 0 && { threads: String(threads) }),
    })
    const connection = await instance.connect()
    const [[catalog] = []] = (await connection.runAndReadAll('SELECT current_database()')).getRows()
    const database = new DuckdbFile(place, instance, connection, String(catalog), signal)
    await database.prepare(access)
    return database
  } catch (error) {
    instance?.closeSync()
    throw translated(sink, error)
  }
}

const progressMs = 250

class DuckdbFile implements FileDatabase {
  readonly naming = duckdbNames
  readonly begin = 'BEGIN'
  readonly now = 'now()'
  // A unique one that is made when the rows are in would refuse them at the commit, which is too late.
  readonly indexesFirst = true
  readonly columnSql = columnSql
  readonly #place: FilePlace
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection
  readonly #catalog: string
  readonly #signal: AbortSignal
  readonly #interrupt = () => this.#connection.interrupt()
  readonly #ask: Ask = (sql, values) => this.rows(sql, values)
  #spill: string | undefined
  #reserve: AsyncDisposable | undefined
  #isRolledBack = false

  constructor(
    place: FilePlace,
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    catalog: string,
    signal: AbortSignal,
  ) {
    this.#place = place
    this.#instance = instance
    this.#connection = connection
    this.#catalog = catalog
    this.#signal = signal
    signal.addEventListener('abort', this.#interrupt)
  }

  async prepare(access: 'write' | 'look'): Promise<void> {
    if (access === 'write') this.#reserve = await holdReserve(this.#place.path)
    // In this order: printing must be off before progress is on, or it writes to stdout.
    for (const setting of [`TimeZone = 'UTC'`, 'enable_progress_bar_print = false', 'enable_progress_bar = true']) {
      await this.run(`SET ${setting}`)
    }
  }

  async run(sql: string, values?: readonly Value[]): Promise<number> {
    return (await this.#told(sql, values)).rowsChanged
  }

  /** Numbers beyond 2^53, and decimals, come as texts. */
  async rows<T>(sql: string, values?: readonly Value[]): Promise<T[]> {
    return (await this.#told(sql, values)).getRowObjectsJson() as T[]
  }

  async #told(sql: string, values: readonly Value[] = []) {
    try {
      return await this.#connection.runAndReadAll(sql, [...values])
    } catch (error) {
      this.#signal.throwIfAborted()
      throw translated(this.#place.sink, error)
    }
  }

  /** What is committed goes from the log into the file, so that the file alone is whole. */
  async commit(): Promise<void> {
    await this.run('COMMIT')
    // If it cannot be done now, it is when the file is closed, or opened the next time.
    await this.run('CHECKPOINT').catch(() => undefined)
  }

  async rollback(): Promise<void> {
    this.#isRolledBack = true
    // It may have been rolled back by the error itself.
    await this.run('ROLLBACK').catch(() => undefined)
    await this.#reserve?.[Symbol.asyncDispose]()
    await cutEnd(this.#connection)
  }

  identifier({ schema = 'main', table }: TableName): string {
    // With the name of the whole, which no schema can be mistaken for.
    return `${quoted(this.#catalog)}.${tableIdentifier({ schema, table }, duckdbNames)}`
  }

  async find(name: TableName): Promise<Found | undefined> {
    const found = await findTable(this.#ask, name)
    return found && { ...found, identifier: this.identifier(found) }
  }

  columnsOf(found: Found): Promise<TargetColumn[]> {
    return columnsOf(this.#ask, found)
  }

  definitionOf(found: Found): Promise<Definition> {
    return definitionOf(this.#ask, found)
  }

  comparisonOf(found: Found, key: readonly string[]): Promise<Comparison> {
    return comparisonOf(this.#ask, found, key)
  }

  async insert(into: Into, produced: Produced, options: InsertOptions): Promise<number> {
    const { columns = [] } = produced
    await this.#refuseRounded(into, produced)
    const names = columns.map(({ name }) => quoted(name))
    const values = columns.map((_, i) => `c${i}`)
    return await this.#watched(
      `INSERT INTO ${into.identifier} (${marked(names, into, quoted(taskColumn))})
       SELECT ${marked(values, into, '?')} FROM ${fileSql(produced)}`,
      into,
      produced,
      options,
    )
  }

  /** Moments finer than their column are cut by an INSERT without a word. */
  async #refuseRounded(into: Into, produced: Produced): Promise<void> {
    const described = await this.rows<{ column_name: string; column_type: string }>(`DESCRIBE ${into.identifier}`)
    const types = new Map(described.map((column) => [column.column_name, column.column_type]))
    for (const [i, { name, type }] of (produced.columns ?? []).entries()) {
      const coarse = types.get(name) ?? ''
      if (type !== 'datetime' || !/^TIMESTAMP_(S|MS)$/.test(coarse)) continue
      const [rounded] = await this.rows<{ value: string }>(
        `SELECT c${i}::VARCHAR AS value FROM ${fileSql(produced)} WHERE c${i} <> c${i}::${coarse}::TIMESTAMP LIMIT 1`,
      )
      if (rounded !== undefined) throw finer(rounded.value, name, coarse)
    }
  }

  async stage({ identifier: table }: Found, columns: readonly string[]): Promise<Into> {
    const staging = { identifier: this.temporary('coming'), schema: 'main', table: 'coming', task: undefined }
    await this.run(
      `CREATE TEMPORARY TABLE ${staging.identifier} AS SELECT ${columns.map(quoted).join(', ')} FROM ${table} LIMIT 0`,
    )
    return staging
  }

  temporary(table: string): string {
    return `temp.main.${quoted(table)}`
  }

  /** It joins without an index. */
  async indexKey(): Promise<void> {}

  /** Runs a statement that takes as long as there are rows. */
  async #watched(sql: string, { task }: Into, produced: Produced, { onProgress }: InsertOptions): Promise<number> {
    // What does not fit into memory goes where the rows are, and with them.
    if (this.#spill === undefined) {
      this.#spill = dirname(produced.path)
      await this.run(`SET temp_directory = ${quoteText(this.#spill)}`)
    }
    const timer = setInterval(() => {
      const { percentage } = this.#connection.progress
      if (percentage > 0) onProgress(Math.floor((produced.rows * percentage) / 100))
    }, progressMs)
    try {
      return await this.run(sql, task === undefined ? [] : [task])
    } finally {
      clearInterval(timer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#interrupt)
    this.#connection.closeSync()
    this.#instance.closeSync()
    await this.#reserve?.[Symbol.asyncDispose]()
    // Somebody else may have the file by now; or there is still no room.
    if (this.#isRolledBack) await cutEndAnew(this.#place.path).catch(() => undefined)
  }
}

function finer(value: string, column: string, type: string): AppError {
  return new AppError(
    'unprocessable',
    `DuckDB would round “${value}”, since the column “${column}” is ${type}. Make it TIMESTAMP, or round the values.`,
    { details: { column, value } },
  )
}

function quoted(name: string): string {
  return identifier(name, duckdbNames)
}

/** The file, with its columns as c0, c1, and so on. */
function fileSql({ path, columns = [] }: Produced): string {
  return `read_parquet(${quoteText(path)}) AS file(${columns.map((_, i) => `c${i}`).join(', ')})`
}

/** A list in SQL, with one thing more where rows are marked with their task. */
function marked(list: readonly string[], { task }: Into, mark: string): string {
  return (task === undefined ? list : [...list, mark]).join(', ')
}
