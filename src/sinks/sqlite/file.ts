/** A SQLite file, open in this process. Rows come as tabbed text. */
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { identifier, sqliteNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import type { TargetColumn } from '../../job.ts'
import type {
  Comparison,
  Definition,
  FileDatabase,
  Found,
  InsertOptions,
  Into,
  OpenFile,
  Value,
} from '../file/database.ts'
import { type Ask, columnsOf, comparisonOf, declaredTypes, definitionOf, findTable } from './catalog.ts'
import { translated } from './errors.ts'
import { insertRows } from './rows.ts'
import { columnSql } from './types.ts'
import type { TableName } from '../tables.ts'

export const openSqlite: OpenFile = async ({ path, sink }, access) => {
  const url = pathToFileURL(path)
  // Looking must not make it. It may have to be written to even so: to roll back what a killed process has left.
  if (access === 'look') url.searchParams.set('mode', 'rw')
  let db: DatabaseSync | undefined
  try {
    const options = { timeout: 0, enableForeignKeyConstraints: true, enableDoubleQuotedStringLiterals: true }
    db = new DatabaseSync(url, options)
    return new SqliteFile(sink, db)
  } catch (error) {
    db?.close()
    throw translated(sink, error)
  }
}

/** Of the pages of a table that is being written to. */
const cacheKibibytes = 65_536

class SqliteFile implements FileDatabase {
  readonly naming = sqliteNames
  readonly begin = 'BEGIN IMMEDIATE'
  readonly now = `strftime('%Y-%m-%d %H:%M:%f')`
  readonly indexesFirst = false
  readonly columnSql = columnSql
  readonly #sink: string
  readonly #db: DatabaseSync
  readonly #ask: Ask = (sql, values = []) => this.#told(() => this.#db.prepare(sql).all(...values)) as never

  constructor(sink: string, db: DatabaseSync) {
    this.#sink = sink
    this.#db = db
    // Views and other tables' triggers go on by the name of a table that is renamed.
    db.exec(`PRAGMA synchronous = FULL; PRAGMA cache_size = -${cacheKibibytes}; PRAGMA legacy_alter_table = ON`)
  }

  async run(sql: string, values: readonly Value[] = []): Promise<number> {
    return this.#told(() => Number(this.#db.prepare(sql).run(...values).changes))
  }

  async commit(): Promise<void> {
    await this.run('COMMIT')
  }

  async rollback(): Promise<void> {
    // A full disk has ended the transaction by itself; what it has left in the file is taken back by the next look.
    if (this.#db.isTransaction) await this.run('ROLLBACK')
    await this.run('SELECT count(*) FROM sqlite_schema')
  }

  async rows<T>(sql: string, values?: readonly Value[]): Promise<T[]> {
    return this.#ask<T>(sql, values)
  }

  #told<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw translated(this.#sink, error)
    }
  }

  identifier({ table }: TableName): string {
    return `main.${quoted(table)}`
  }

  async find(name: TableName): Promise<Found | undefined> {
    const found = findTable(this.#ask, name)
    return found && { ...found, identifier: this.identifier(found) }
  }

  async columnsOf(found: Found): Promise<TargetColumn[]> {
    return columnsOf(this.#ask, found)
  }

  async definitionOf(found: Found): Promise<Definition> {
    return definitionOf(this.#ask, found)
  }

  async comparisonOf(found: Found, key: readonly string[]): Promise<Comparison> {
    return comparisonOf(this.#ask, found, key)
  }

  async insert(into: Into, produced: Produced, options: InsertOptions): Promise<number> {
    try {
      return await insertRows(this.#db, into, produced, declaredTypes(this.#ask, into), options)
    } catch (error) {
      throw translated(this.#sink, error)
    }
  }

  /** Its columns are declared as those of the table: by that SQLite decides what it makes of a value. */
  async stage(found: Found, columns: readonly string[]): Promise<Into> {
    const declared = declaredTypes(this.#ask, found)
    const lines = columns.map((name) => `${quoted(name)} ${declaredAs(declared.get(name) ?? '')}`)
    const staging = { identifier: this.temporary('coming'), schema: 'temp', table: 'coming', task: undefined }
    await this.run(`CREATE TABLE ${staging.identifier} (${lines.join(', ')})`)
    return staging
  }

  temporary(table: string): string {
    return `temp.${quoted(table)}`
  }

  async indexKey(temporary: string, { key }: Comparison): Promise<void> {
    await this.run(`CREATE INDEX ${this.temporary(`${temporary}_key`)} ON ${quoted(temporary)} (${key.join(', ')})`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db.close()
  }
}

function quoted(name: string): string {
  return identifier(name, sqliteNames)
}

/** A type of whatever words, as it stands in SQL. */
function declaredAs(type: string): string {
  return type === '' ? '' : quoted(type)
}
