/** A database in a file, as the process sees it that has it open: what each kind does in its own way. */
import type { Naming } from '../../identifiers.ts'
import type { Produced, ProducedColumn, TargetColumn } from '../../ports.ts'
import type { Counts, TableName } from '../tables.ts'

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
export interface Into extends Pick<Found, 'identifier' | 'table'> {
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
  needUniqueKey(found: Found, key: readonly string[]): Promise<void>
  /** A column of a table that is created. */
  columnSql(column: ProducedColumn): string
  /** Puts the rows into a table; the number of those that it took. */
  insert(into: Into, produced: Produced, options: InsertOptions): Promise<number>
  /** Puts the rows into a table that has a unique index on the key. Two rows of one key are unprocessable. */
  upsert(into: Into & Found, produced: Produced, key: readonly string[], options: InsertOptions): Promise<Counts>
}

/** The statements that make another table like one. */
export interface Definition {
  /** Before the old one takes another name. */
  readonly before: readonly string[]
  /** After that, under the name that it had. */
  readonly create: readonly string[]
  /** When the rows are in. */
  readonly after: readonly string[]
}

/** A text as it stands in SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
