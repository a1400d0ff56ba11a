/** What the contract of the sinks of tables is tested with. */
import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { Target } from '../../src/model.ts'
import type { ColumnType } from '../../src/table-schema.ts'
import type { Delivered, Produced, TableSink } from '../../src/ports.ts'
import type { Folder } from '../harness.ts'
import { saveParquet } from '../parquet.ts'

/** A database that a sink is opened on, and a way to look into it that is not the sink's. */
export interface TableDatabase extends AsyncDisposable {
  readonly sink: TableSink
  /** Rows of a query in standard SQL with names in double quotes: each value as text, NULL as null. */
  readonly rows: (sql: string) => Promise<(string | null)[][]>
}

export interface TableFixture {
  readonly name: string
  readonly skip: string | false
  /** Whether it differs from another one only in how rows are loaded. */
  readonly loadsOnly?: boolean
  /** With nothing in it. */
  readonly open: () => Promise<TableDatabase>
}

export type Cell = string | null
export type Columns = readonly (readonly [name: string, type: ColumnType])[]

export const people: Columns = [
  ['id', 'integer'],
  ['name', 'string'],
  ['amount', 'decimal(10,2)'],
]

/** A task's worth of rows on its way into a table. */
export interface Load {
  readonly task: string
  readonly attempt?: number
  readonly target: Partial<Target>
  readonly columns?: Columns
  readonly rows: readonly (readonly Cell[])[]
}

/** Runs a check on a database of its own. */
export type Check = (what: string, body: (database: TableDatabase, folder: Folder) => Promise<void>) => void

export const ada = [
  ['1', 'Ada', '1.50'],
  ['2', null, null],
]

/** As long as the ids of tasks are. */
export function task(n: number): string {
  return `01J000000000000000000000${String(n).padStart(2, '0')}`
}

export function targetOf(given: Partial<Target>): Target {
  return { table: 'people', mode: 'append', key: [], drift: 'fail', undoable: true, ...given }
}

export function names(columns: Columns): string[] {
  return columns.map(([name]) => name)
}

export function writing() {
  return { signal: new AbortController().signal, from: 0, onProgress: () => {} }
}

export function all({ rows }: TableDatabase): Promise<Cell[][]> {
  return rows('SELECT id, name, amount FROM people ORDER BY id')
}

export async function load({ sink }: TableDatabase, folder: Folder, one: Load): Promise<Delivered> {
  const { attempt = 1, columns = people, rows } = one
  const target = targetOf(one.target)
  const known = await sink.check(target, { task: one.task, attempt })
  await using delivery = await sink.begin({ task: one.task, output: 'rows' }, attempt, target)
  assert.equal(delivery.delivered, undefined)
  await delivery.write(
    await produced(
      folder,
      sink,
      columns,
      rows,
      known?.map((column) => column.name),
    ),
    writing(),
  )
  return await delivery.commit()
}

/** The rows as an engine would have written them for this sink. */
export async function produced(
  folder: Folder,
  { rows: format }: TableSink,
  columns: Columns,
  rows: readonly (readonly Cell[])[],
  known: readonly string[] = [],
): Promise<Produced> {
  const file = `rows.${format}`
  const path = folder.at(file)
  await (format === 'parquet' ? writeParquet(path, columns, rows) : writeFile(path, rows.map(tabbed).join('')))
  return {
    name: 'rows',
    format,
    file,
    path,
    open: () => createReadStream(path),
    rows: rows.length,
    columns: columns.map(([name, type]) => ({ name, type, isThere: known.includes(name) })),
  }
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function tabbed(cells: readonly Cell[]): string {
  const texts = cells.map((cell) =>
    cell === null ? '\\N' : cell.replace(/[\\\t\n\r]/g, (char) => escapes[char] ?? ''),
  )
  return `${texts.join('\t')}\n`
}

const duckdbTypes: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  datetime: 'TIMESTAMP',
}

async function writeParquet(path: string, columns: Columns, rows: readonly (readonly Cell[])[]): Promise<void> {
  const quoted = columns.map(([name, type]) => `"${name.replaceAll('"', '""')}" ${duckdbTypes[type] ?? type}`)
  await saveParquet(path, quoted.join(', '), rows)
}
