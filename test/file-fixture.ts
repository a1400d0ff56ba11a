/** Rows for the sinks whose database is a file, as an engine would have produced them. */
import { createReadStream, rmSync } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { DuckDBInstance } from '@duckdb/node-api'
import { tabbedLine } from '../src/csv/tabbed.ts'
import type { Target } from '../src/model.ts'
import type { Delivered, DeliveryId, Produced, TableSink, WriteOptions } from '../src/ports.ts'
import { duckdbSink } from '../src/sinks/duckdb/sink.ts'
import type { FileOptions } from '../src/sinks/file/sink.ts'
import { sqliteSink } from '../src/sinks/sqlite/sink.ts'
import type { ColumnType } from '../src/table-schema.ts'
import { type Folder, temporaryFolder } from './harness.ts'
import { saveParquet } from './parquet.ts'

export type Cell = string | null
export type Kind = 'DuckDB' | 'SQLite'

/** A file for a database, and what sees it from outside. */
export interface DatabaseFile extends AsyncDisposable {
  readonly folder: Folder
  readonly path: string
  /** As a service has one: always the same, unless it is to be another. */
  readonly sink: (options?: FileOptions) => TableSink
  readonly sinkAt: (path: string, options?: FileOptions) => TableSink
  /** Runs SQL in this process, which has the file open meanwhile; each value of its rows as text. */
  readonly query: (sql: string) => Promise<Cell[][]>
}

/** Where no test is at work any more. The next one's file is of the same name, and so for the process that is there. */
const free: Record<Kind, DatabaseFile[]> = { DuckDB: [], SQLite: [] }

/** A file that is not there yet, in a folder with nothing in it. */
export async function databaseFile(kind: Kind): Promise<DatabaseFile> {
  return free[kind].pop() ?? (await newDatabaseFile(kind))
}

async function newDatabaseFile(kind: Kind): Promise<DatabaseFile> {
  const folder = await temporaryFolder()
  process.once('exit', () => rmSync(folder.path, { recursive: true, force: true }))
  const path = folder.at('test.db')
  const sinkAt: DatabaseFile['sinkAt'] = (...args) => (kind === 'DuckDB' ? duckdbSink : sqliteSink)('db', ...args)
  const own = sinkAt(path)
  const file: DatabaseFile = {
    folder,
    path,
    sink: (options) => (options === undefined ? own : sinkAt(path, options)),
    sinkAt,
    query: (sql) => (kind === 'DuckDB' ? queryDuckdb : querySqlite)(path, sql),
    [Symbol.asyncDispose]: async () => {
      const names = await readdir(folder.path)
      await Promise.all(names.map((name) => rm(folder.at(name), { recursive: true, force: true })))
      free[kind].push(file)
    },
  }
  return file
}

async function queryDuckdb(path: string, sql: string): Promise<Cell[][]> {
  const instance = await DuckDBInstance.create(path)
  try {
    const connection = await instance.connect()
    const rows = (await connection.runAndReadAll(sql)).getRows()
    connection.closeSync()
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))))
  } finally {
    instance.closeSync()
  }
}

async function querySqlite(path: string, sql: string): Promise<Cell[][]> {
  using db = new DatabaseSync(path)
  // What gives no rows may be several statements.
  if (!/^(SELECT|PRAGMA)/.test(sql)) db.exec(sql)
  else {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    const columns = statement.columns()
    return statement.all().map((row) => columns.map(({ name, type }) => textOf(row[name], type)))
  }
  return []
}

/** A decimal is a number without zeros at its end; its column says how many there are. */
function textOf(value: unknown, type: string | null): Cell {
  if (value === null) return null
  const [, scale] = /^DECIMAL\(\d+,(\d+)\)$/.exec(type ?? '') ?? []
  return scale === undefined ? `${value as string | number | bigint}` : Number(value).toFixed(Number(scale))
}

export interface Rows {
  readonly columns: Readonly<Record<string, ColumnType>>
  readonly rows: readonly (readonly Cell[])[]
  /** Columns that the table has; all of them unless told. */
  readonly there?: readonly string[]
}

export function targetOf(given: Partial<Target> = {}): Target {
  return { table: 'people', mode: 'append', key: [], drift: 'fail', undoable: true, ...given }
}

export const writing: WriteOptions = { signal: new AbortController().signal, from: 0, onProgress: () => {} }

export interface Load extends Rows {
  readonly task: string
  readonly attempt?: number
  readonly target?: Partial<Target>
}

/** One output from beginning to end. */
export async function load(file: DatabaseFile, { task, attempt = 1, target = {}, ...rows }: Load): Promise<Delivered> {
  const sink = file.sink()
  const whole = targetOf(target)
  const id: DeliveryId = { task, output: 'rows' }
  const known = await sink.check(whole, { task, attempt })
  await using delivery = await sink.begin(id, attempt, whole)
  await delivery.write(await produce(file, { there: known?.map(({ name }) => name) ?? [], ...rows }), writing)
  return await delivery.commit()
}

export async function produce(file: DatabaseFile, { columns, rows, there = [] }: Rows): Promise<Produced> {
  const format = file.sink().rows
  const path = file.folder.at(`rows.${format}`)
  const names = Object.keys(columns)
  if (format === 'tabbed') await writeFile(path, rows.map(tabbedLine).join(''))
  else await writeParquet(path, Object.values(columns), rows)
  return {
    name: 'rows',
    format,
    file: `rows.${format}`,
    path,
    rows: rows.length,
    isGuess: false,
    columns: names.map((name) => ({ name, type: columns[name] ?? 'string', isThere: there.includes(name) })),
    open: () => createReadStream(path),
  }
}

const parquetTypes: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  datetime: 'TIMESTAMP',
}

async function writeParquet(path: string, types: readonly ColumnType[], rows: Rows['rows']): Promise<void> {
  const columns = types.map((type, i) => `c${i} ${parquetTypes[type] ?? type}`).join(', ')
  await saveParquet(path, columns, rows)
}

/** Rows that are more than a database keeps in memory, for a table of `id` and `name`; for SQLite they never end. */
export async function manyRows(file: DatabaseFile, folder: string = file.folder.path): Promise<Produced> {
  const columns = { id: 'integer', name: 'string' } as const
  const produced = await produce(file, { columns, rows: [], there: ['id', 'name'] })
  if (produced.format === 'tabbed') {
    const chunk = Buffer.from(tabbedLine(['1', 'x'.repeat(1000)]).repeat(1000))
    return { ...produced, rows: Infinity, open: () => Readable.from(endless(chunk), { objectMode: false }) }
  }
  const rows = 3_000_000
  const path = join(folder, 'many.parquet')
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (SELECT i AS c0, md5(i::VARCHAR) AS c1 FROM range(${rows}) t(i)) TO '${path}'
    (FORMAT parquet, COMPRESSION uncompressed)`)
  connection.closeSync()
  instance.closeSync()
  return { ...produced, rows, path }
}

function* endless(chunk: Buffer): Generator<Buffer> {
  for (;;) yield chunk
}
