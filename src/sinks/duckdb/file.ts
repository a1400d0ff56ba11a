/** A DuckDB file, open in this process. Rows come as Parquet, which it reads itself. */
import { dirname } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { duckdbNames, identifier } from '../../identifiers.ts'
import type { Produced, TargetColumn } from '../../ports.ts'
import { type Ask, catalogColumns, columnsOf, definitionOf, findTable, needUniqueKey } from './catalog.ts'
import { translated } from './errors.ts'
import { cutEnd, cutEndAnew, holdReserve, makeWhole, offline } from './space.ts'
import { columnSql } from './types.ts'
import {
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
import { keyedTwice } from '../refusals.ts'
import { type Counts, tableIdentifier, type TableName, taskColumn } from '../tables.ts'

export const openDuckdb: OpenFile = async (place, access, signal) => {
  const { path, sink, memory, threads } = place
  try {
    if (access === 'write') await makeWhole(path)
    const instance = await DuckDBInstance.create(path, {
      ...offline,
      ...(access === 'look' && { access_mode: 'READ_ONLY' }),
      ...(memory !== undefined && { memory_limit: `${Math.floor(memory / 1000)}KB` }),
      ...(threads !== undefined && threads > 0 && { threads: String(threads) }),
    })
    const connection = await instance.connect()
    const [[catalog] = []] = (await connection.runAndReadAll('SELECT current_database()')).getRows()
    const database = new DuckdbFile(place, instance, connection, String(catalog), signal)
    if (access === 'write') await database.prepare()
    return database
  } catch (error) {
    throw translated(sink, error)
  }
}

const progressMs = 250

class DuckdbFile implements FileDatabase {
  readonly naming = duckdbNames
  readonly begin = 'BEGIN'
  readonly now = 'now()'
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

  async prepare(): Promise<void> {
    this.#reserve = await holdReserve(this.#place.path)
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

  needUniqueKey(found: Found, key: readonly string[]): Promise<void> {
    return needUniqueKey(this.#ask, found, key)
  }

  async insert(into: Into, produced: Produced, options: InsertOptions): Promise<number> {
    const { columns = [] } = produced
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

  async upsert(
    into: Into & Found,
    produced: Produced,
    key: readonly string[],
    options: InsertOptions,
  ): Promise<Counts> {
    const columns = await this.#comingColumns(into, produced)
    const keys = columns.filter(({ name }) => key.includes(name))
    const others = columns.filter(({ name }) => !key.includes(name))
    const coming = `(SELECT ${columns.map(({ cast, value }) => `${cast} AS ${value}`).join(', ')} FROM ${fileSql(produced)})`
    await this.#refuseTwice(into, keys, coming)
    const set = others.map(({ identifier: name, value }) => `${name} = coming.${value}`)
    const isChanged = others.map(
      (one) => `known.${one.identifier}${one.collation} IS DISTINCT FROM coming.${one.value}`,
    )
    const change =
      others.length === 0 ? '' : `WHEN MATCHED AND (${isChanged.join(' OR ')}) THEN UPDATE SET ${set.join(', ')}`
    const before = await this.#count(into)
    const names = columns.map((column) => column.identifier)
    const values = columns.map(({ value }) => `coming.${value}`)
    const touched = await this.#watched(
      `MERGE INTO ${into.identifier} AS known USING ${coming} AS coming
       ON ${keys.map((one) => `known.${one.identifier} = coming.${one.value}`).join(' AND ')} ${change}
       WHEN NOT MATCHED THEN INSERT (${marked(names, into, quoted(taskColumn))}) VALUES (${marked(values, into, '?')})`,
      into,
      produced,
      options,
    )
    const inserted = (await this.#count(into)) - before
    return { inserted, updated: touched - inserted, unchanged: produced.rows - touched }
  }

  /** Columns of the file as those of the table: compared with it they must be of its types. */
  async #comingColumns(into: Found, { columns = [] }: Produced): Promise<Coming[]> {
    const types = new Map((await catalogColumns(this.#ask, into)).map(({ name, type }) => [name, type]))
    return columns.map(({ name }, i) => {
      const type = types.get(name)
      if (type === undefined) throw new Error(`the table ${into.table} has no column ${name}`)
      // By its bytes: to a column's own collation a change of case may be none.
      const collation = type === 'VARCHAR' ? ' COLLATE C' : ''
      return { name, identifier: quoted(name), value: `c${i}`, cast: `CAST(c${i} AS ${type})`, collation }
    })
  }

  async #refuseTwice({ table }: Found, keys: readonly Coming[], coming: string): Promise<void> {
    const values = keys.map(({ value }) => value)
    const [twice] = await this.rows<Record<string, unknown>>(
      `SELECT ${values.map((value) => `${value}::VARCHAR AS ${value}`).join(', ')} FROM ${coming} AS coming
       WHERE ${values.map((value) => `${value} IS NOT NULL`).join(' AND ')}
       GROUP BY ALL HAVING count(*) > 1 LIMIT 1`,
    )
    if (twice !== undefined)
      throw keyedTwice(table, Object.fromEntries(keys.map(({ name, value }) => [name, twice[value]])))
  }

  async #count({ identifier: table }: Into): Promise<number> {
    const [row] = await this.rows<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)
    return Number(row?.n)
  }

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

/** A column of the file and the one of the table that it goes to. */
interface Coming {
  readonly name: string
  /** The name as it stands in SQL. */
  readonly identifier: string
  readonly value: string
  readonly cast: string
  readonly collation: string
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
