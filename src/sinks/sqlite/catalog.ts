/** What SQLite's schema tells of a table. */
import { AppError } from '../../errors.ts'
import { identifier, sqliteNames } from '../../identifiers.ts'
import type { TargetColumn } from '../../job.ts'
import { type Comparison, type Definition, type Found, quoteText, type Value } from '../file/database.ts'
import { heldBack, notATable, withoutKey } from '../refusals.ts'
import { fieldOf } from './types.ts'
import { type TableName, taskColumn } from '../tables.ts'

/** Runs a query of the schema. */
export type Ask = <T>(sql: string, values?: readonly Value[]) => T[]

/** @throws {AppError} unprocessable, when the name is that of something else. */
export function findTable(ask: Ask, { schema = 'main', table }: TableName): Omit<Found, 'identifier'> | undefined {
  if (schema.toLowerCase() !== 'main') {
    throw new AppError('unprocessable', `A SQLite file has no schemas such as ${schema}. Name the table alone.`)
  }
  const [found] = ask<{ table: string; type: string; hasTask: number }>(
    `SELECT name AS "table", type, EXISTS (SELECT 1 FROM pragma_table_info(l.name) WHERE name = ?) AS "hasTask"
     FROM pragma_table_list AS l WHERE schema = 'main' AND name = ? COLLATE NOCASE`,
    [taskColumn, table],
  )
  if (found === undefined) return undefined
  if (found.type !== 'table') throw notATable(table)
  return { schema: 'main', table: found.table, hasTask: found.hasTask === 1 }
}

/** The declared types of its columns, by their names. */
export function declaredTypes(
  ask: Ask,
  { schema, table }: Pick<Found, 'schema' | 'table'>,
): ReadonlyMap<string, string> {
  const columns = ask<{ name: string; type: string }>('SELECT name, type FROM pragma_table_xinfo(?, ?)', [
    table,
    schema,
  ])
  return new Map(columns.map(({ name, type }) => [name, type]))
}

export function columnsOf(ask: Ask, { table }: Found): TargetColumn[] {
  const [kind] = ask<{ wr: number }>(`SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?`, [table])
  const indexed = ask(`SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'`, [table]).length > 0
  const columns = ask<{ name: string; type: string; notnull: number; dflt_value: unknown; pk: number; hidden: number }>(
    'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) WHERE name <> ? AND hidden <> 1',
    [table, taskColumn],
  )
  return columns.map(({ name, type, notnull, dflt_value: filling, pk, hidden }) => {
    // A primary key without an index is the number of the row.
    const isNumber = pk > 0 && !indexed && kind?.wr === 0
    const isFilled = filling !== null || isNumber
    const required = (notnull === 1 || (pk > 0 && kind?.wr === 1)) && !isNumber
    return {
      name,
      field: fieldOf(type, required),
      absent: isFilled ? 'filled' : required ? 'refused' : 'null',
      isComputed: hidden > 1,
    }
  })
}

/** @throws {AppError} conflict, for triggers and foreign keys: they would stay with the old table. Views go by its name. */
export function definitionOf(ask: Ask, { table }: Found): Definition {
  const dependents = ask<{ what: string }>(
    `SELECT 'the trigger ' || name AS what FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
     UNION SELECT 'the foreign key of ' || m.name FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS k
       WHERE m.type = 'table' AND (m.name = ?1 OR k."table" = ?1 COLLATE NOCASE)
     ORDER BY what`,
    [table],
  )
  if (dependents.length > 0) {
    throw heldBack(
      table,
      dependents.map(({ what }) => what),
    )
  }
  const statements = ask<{ type: string; name: string; sql: string }>(
    `SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL
     ORDER BY rowid`,
    [table],
  )
  const tables = statements.filter(({ type }) => type === 'table')
  const indexes = statements.filter(({ type }) => type === 'index')
  return {
    // Their names are the new table's.
    before: indexes.map(({ name }) => `DROP INDEX ${identifier(name, sqliteNames)}`),
    create: tables.map(({ sql }) => sql),
    counters: tables.flatMap(({ sql }) => countOn(ask, table, sql)),
    indexes: indexes.map(({ sql }) => sql),
  }
}

/** Numbers that AUTOINCREMENT has given are not given again. */
function countOn(ask: Ask, table: string, sql: string): string[] {
  if (!/\bautoincrement\b/i.test(sql)) return []
  const counts = ask<{ seq: string }>('SELECT CAST(seq AS TEXT) AS seq FROM sqlite_sequence WHERE name = ?', [table])
  return counts.flatMap(({ seq }) => [
    `DELETE FROM sqlite_sequence WHERE name = ${quoteText(table)}`,
    `INSERT INTO sqlite_sequence (name, seq) VALUES (${quoteText(table)}, ${seq})`,
  ])
}

/** A column of a key, and the collation by which the table tells its values apart. */
interface KeyColumn {
  readonly name: string
  readonly collation: string
}

/** @throws {AppError} unprocessable, when nothing in the table says that the key tells its rows apart. */
export function comparisonOf(ask: Ask, found: Found, key: readonly string[]): Comparison {
  const quoted = (name: string) => identifier(name, sqliteNames)
  const columns = uniqueKey(ask, found, key)
  const collated = (table: string) =>
    columns.map(({ name, collation }) => `${table}${quoted(name)} COLLATE ${quoted(collation)}`)
  return {
    key: collated(''),
    isSameKey: (one, other) =>
      collated(`${one}.`)
        .map((value, i) => `${value} = ${other}.${quoted(columns[i]?.name ?? '')}`)
        .join(' AND '),
    isSame: (column, one, other) => `${one}.${quoted(column)} COLLATE BINARY IS ${other}.${quoted(column)}`,
  }
}

function uniqueKey(ask: Ask, { table }: Found, key: readonly string[]): KeyColumn[] {
  const columns = ask<KeyColumn & { number: string }>(
    `SELECT l.name AS number, x.name, x.coll AS collation FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x
       WHERE l."unique" = 1 AND l.partial = 0 AND x.key = 1
     UNION ALL SELECT 'rowid', name, 'BINARY' FROM pragma_table_info(?1) WHERE pk > 0
       AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')`,
    [table],
  )
  const indexes = Map.groupBy(columns, ({ number }) => number).values()
  const found = indexes.find(
    (index) => index.length === key.length && key.every((name) => index.some((column) => column.name === name)),
  )
  if (found === undefined) throw withoutKey(table, key)
  return found.map(({ name, collation }) => ({ name, collation }))
}
