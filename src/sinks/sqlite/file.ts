/** A SQLite file, open in this process. Rows come as tabbed text. */
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { identifier, sqliteNames } from '../../identifiers.ts'
import type { Produced, TargetColumn } from '../../ports.ts'
import type { Definition, FileDatabase, Found, InsertOptions, Into, OpenFile, Value } from '../file/database.ts'
import { keyedTwice } from '../refusals.ts'
import { type Ask, columnsOf, declaredTypes, definitionOf, findTable, type KeyColumn, uniqueKey } from './catalog.ts'
import { translated } from './errors.ts'
import { insertRows } from './rows.ts'
import { columnSql } from './types.ts'
import { checkTaken, type Counts, type TableName, taskColumn } from '../tables.ts'

export const openSqlite: OpenFile = async ({ path, sink }, access) => {
  const url = pathToFileURL(path)
  // Looking must not make it. It may have to be written to even so: to roll back what a killed process has left.
  if (access === 'look') url.searchParams.set('mode', 'rw')
  try {
    const options = { timeout: 0, enableForeignKeyConstraints: true, enableDoubleQuotedStringLiterals: true }
    return new SqliteFile(sink, new DatabaseSync(url, options))
  } catch (error) {
    throw translated(sink, error)
  }
}

/** Of the pages of a table that is being written to. */
const cacheKibibytes = 65_536

class SqliteFile implements FileDatabase {
  readonly naming = sqliteNames
  readonly begin = 'BEGIN IMMEDIATE'
  readonly now = `strftime('%Y-%m-%d %H:%M:%f')`
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

  async needUniqueKey(found: Found, key: readonly string[]): Promise<void> {
    uniqueKey(this.#ask, found, key)
  }

  async insert(into: Into, produced: Produced, options: InsertOptions): Promise<number> {
    try {
      return await insertRows(this.#db, into, produced, declaredTypes(this.#ask, into.table), options)
    } catch (error) {
      throw translated(this.#sink, error)
    }
  }

  /** By way of a temporary table: a row of the file can so be told from another one of the same key. */
  async upsert(
    into: Into & Found,
    produced: Produced,
    key: readonly string[],
    options: InsertOptions,
  ): Promise<Counts> {
    const { columns = [] } = produced
    const keys = uniqueKey(this.#ask, into, key)
    const names = columns.map(({ name }) => quoted(name))
    const staging = 'temp.coming'
    await this.run(`CREATE TABLE ${staging} AS SELECT ${names.join(', ')} FROM ${into.identifier} LIMIT 0`)
    const rows = await this.insert({ identifier: staging, table: into.table, task: undefined }, produced, options)
    checkTaken(rows, produced.rows)
    this.#refuseTwice(into, keys, staging)
    const isSame = keys.map(
      ({ name, collation }) => `known.${quoted(name)} COLLATE ${quoted(collation)} = coming.${quoted(name)}`,
    )
    const others = names.filter((name) => !keys.some((column) => quoted(column.name) === name))
    // By its bytes: to a column's own collation a change of case may be none.
    const isChanged = others.map((name) => `known.${name} COLLATE BINARY IS NOT coming.${name}`)
    const updated =
      others.length === 0
        ? 0
        : await this.run(
            `UPDATE ${into.identifier} AS known SET ${others.map((name) => `${name} = coming.${name}`).join(', ')}
             FROM ${staging} AS coming WHERE ${isSame.join(' AND ')} AND (${isChanged.join(' OR ')})`,
          )
    const isMarked = into.task !== undefined
    const inserted = await this.run(
      `INSERT INTO ${into.identifier} (${[...names, ...(isMarked ? [quoted(taskColumn)] : [])].join(', ')})
       SELECT ${[...names, ...(isMarked ? ['?'] : [])].join(', ')} FROM ${staging} AS coming
       WHERE NOT EXISTS (SELECT 1 FROM ${into.identifier} AS known WHERE ${isSame.join(' AND ')})`,
      into.task === undefined ? [] : [into.task],
    )
    await this.run(`DROP TABLE ${staging}`)
    return { inserted, updated, unchanged: rows - inserted - updated }
  }

  #refuseTwice({ table }: Found, keys: readonly KeyColumn[], staging: string): void {
    const names = keys.map(({ name }) => quoted(name))
    const [twice] = this.#ask<Record<string, Value>>(
      `SELECT ${names.join(', ')} FROM ${staging} WHERE ${names.map((name) => `${name} IS NOT NULL`).join(' AND ')}
       GROUP BY ${keys.map(({ name, collation }) => `${quoted(name)} COLLATE ${quoted(collation)}`).join(', ')}
       HAVING count(*) > 1 LIMIT 1`,
    )
    if (twice !== undefined) throw keyedTwice(table, twice)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db.close()
  }
}

function quoted(name: string): string {
  return identifier(name, sqliteNames)
}
