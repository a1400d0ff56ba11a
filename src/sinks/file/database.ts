/** A database in a file, as the process sees it that has it open: what each kind does in its own way. */
import type { Naming } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import type { ProducedColumn, TargetColumn } from '../../job.ts'
import { type TableName, taskColumn } from '../tables.ts'

export interface FilePlace {
  /** Absolute, and with no link in it. */
  readonly path: string
  /** The sink's name. */
  readonly sink: string
  /** Bytes and threads that the database may use; its own defaults where undefined. */
  readonly memory: number | undefined
  readonly threads: number | undefined
}

/** Opens the file: to write to it, and then it is made when it is not there, or to look at it. */
export type OpenFile = (place: FilePlace, access: 'write' | 'look', signal: AbortSignal) => Promise<FileDatabase>

/** Another process has the file: another try may help. */
export class Busy extends Error {
  /** The process, where the database tells. */
  readonly pid: number | undefined

  constructor(cause: unknown, pid?: number) {
    super('the file is in use', { cause })
    this.pid = pid
  }
}

export type Value = string | number | null

/** A table that is there. */
export interface Found {
  /** As it stands in SQL. */
  readonly identifier: string
  readonly schema: string
  readonly table: string
  /** Whether its rows say which task has brought them. */
  readonly hasTask: boolean
}

/** Where rows go. */
export interface Into extends Pick<Found, 'identifier' | 'schema' | 'table'> {
  /** What its rows are to be marked with. */
  readonly task: string | undefined
}

export interface InsertOptions {
  readonly signal: AbortSignal
  readonly onProgress: (rows: number) => void
}

/** All methods throw AppError, and `Busy` while another process is in the way. */
export interface FileDatabase extends AsyncDisposable {
  readonly naming: Naming
  /** The statement with which a transaction begins that writes. */
  readonly begin: string
  /** The time, as it stands in SQL: in UTC, to the millisecond or finer. */
  readonly now: string
  /** Whether indexes are made before the rows come. */
  readonly indexesFirst: boolean
  /** The number of rows that the statement has changed. */
  run(sql: string, values?: readonly Value[]): Promise<number>
  /** Durable when it resolves, but for the name of a new file. */
  commit(): Promise<void>
  /** Takes back what is not committed, and the space that it took. */
  rollback(): Promise<void>
  rows<T>(sql: string, values?: readonly Value[]): Promise<T[]>
  /** How the name stands in SQL. */
  identifier(name: TableName): string
  /** @throws {AppError} unprocessable, when the name is that of something else. */
  find(name: TableName): Promise<Found | undefined>
  /** Its columns in their order, without those of Rowmill's own. */
  columnsOf(found: Found): Promise<TargetColumn[]>
  /** @throws {AppError} conflict, naming what would stay with the old table if another one were put in its place. */
  definitionOf(found: Found): Promise<Definition>
  /** @throws {AppError} unprocessable, when nothing in the table says that the key tells its rows apart. */
  comparisonOf(found: Found, key: readonly string[]): Promise<Comparison>
  /** A column of a table that is created. */
  columnSql(column: ProducedColumn): string
  /** Puts the rows into a table; the number of those that it took. */
  insert(into: Into, produced: Produced, options: InsertOptions): Promise<number>
  /** Makes a temporary table for rows on their way into another: with some of its columns, as that one has them. */
  stage(found: Found, columns: readonly string[]): Promise<Into>
  /** How the name of a temporary table stands in SQL. */
  temporary(table: string): string
  /** Makes a temporary table quick to look up by the key, where the database has to be told. */
  indexKey(temporary: string, comparison: Comparison): Promise<void>
}

/** How the rows of a table are compared with others, in SQL. */
export interface Comparison {
  /** The columns of the key, told apart as the table does it. */
  readonly key: readonly string[]
  /** Whether rows of two tables have the same key. That of the one can be looked up. */
  isSameKey(one: string, other: string): string
  /** Whether they hold the same in a column. By its bytes: to a column's own collation a change of case may be none. */
  isSame(column: string, one: string, other: string): string
}

/** The statements that make another table like one. */
export interface Definition {
  /** Before the old one takes another name, or is dropped. */
  readonly before: readonly string[]
  /** After that, under the name that it had. */
  readonly create: readonly string[]
  /** Hands the numbers that it has given to the other one, which has its name by then. */
  readonly counters: readonly string[]
  readonly indexes: readonly string[]
}

/** Its columns that can be written, Rowmill's own included. */
export async function writableColumns(database: FileDatabase, found: Found): Promise<string[]> {
  const columns = await database.columnsOf(found)
  const names = columns.filter(({ isComputed }) => !isComputed).map(({ name }) => name)
  return found.hasTask ? [...names, taskColumn] : names
}

/** As names are compared: by either database the letters of ASCII alone are the same in both cases. */
export function folded(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** A text as it stands in SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
