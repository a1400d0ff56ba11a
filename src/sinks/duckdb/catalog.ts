/** What DuckDB's catalog tells of a table. */
import { duckdbNames, identifier } from '../../identifiers.ts'
import type { TargetColumn } from '../../job.ts'
import { fieldOf } from './types.ts'
import { type Comparison, type Definition, folded, type Found, type Value } from '../file/database.ts'
import { heldBack, notATable, withoutKey } from '../refusals.ts'
import { tableIdentifier, type TableName, taskColumn } from '../tables.ts'

/** Runs a query of the catalog. */
export type Ask = <T>(sql: string, values?: readonly Value[]) => Promise<T[]>

const ofTable = 'database_name = current_database() AND schema_name = ? AND table_name = ?'

/** @throws {AppError} unprocessable, when the name is that of something else. */
export async function findTable(
  ask: Ask,
  { schema = 'main', table }: TableName,
): Promise<Omit<Found, 'identifier'> | undefined> {
  const of = 'database_name = current_database() AND lower(schema_name) = lower(?)'
  const alike = await ask<{ schema: string; table: string; isView: boolean; hasTask: boolean }>(
    `SELECT schema_name AS schema, table_name AS table, false AS "isView", EXISTS (SELECT 1 FROM duckdb_columns() AS c
       WHERE c.table_oid = t.table_oid AND c.database_oid = t.database_oid AND c.column_name = ?) AS "hasTask"
     FROM duckdb_tables() AS t WHERE ${of} AND lower(table_name) = lower(?)
     UNION ALL SELECT schema_name, view_name, true, false FROM duckdb_views() WHERE ${of} AND lower(view_name) = lower(?)`,
    [taskColumn, schema, table, schema, table],
  )
  // Beyond ASCII, what differs in case is another name to DuckDB's tables, and none to its lower().
  const found = alike.find((one) => folded(one.table) === folded(table) && folded(one.schema) === folded(schema))
  if (found?.isView !== true) return found
  throw notATable(table)
}

/** A column as the catalog has it. */
export interface CatalogColumn {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly default: string | null
}

/** All of them, Rowmill's own included. */
export async function catalogColumns(ask: Ask, { schema, table }: Found): Promise<CatalogColumn[]> {
  return await ask<CatalogColumn>(
    `SELECT column_name AS name, data_type AS type, NOT is_nullable AS required, column_default AS "default"
     FROM duckdb_columns() WHERE ${ofTable} ORDER BY column_index`,
    [schema, table],
  )
}

export async function columnsOf(ask: Ask, found: Found): Promise<TargetColumn[]> {
  const columns = await catalogColumns(ask, found)
  // Only what computes a column is a default to the one and none to the other.
  const described = await ask<{ column_name: string; default: string | null }>(`DESCRIBE ${found.identifier}`)
  const defaults = new Map(described.map((column) => [column.column_name, column.default]))
  return columns
    .filter(({ name }) => name !== taskColumn)
    .map(({ name, type, required, default: filling }) => {
      const isFilled = filling !== null
      const isComputed = isFilled && defaults.get(name) === null
      return {
        name,
        field: fieldOf(type, required),
        absent: isFilled ? 'filled' : required ? 'refused' : 'null',
        isComputed,
      }
    })
}

/** @throws {AppError} conflict, for foreign keys: they would hold on to the old table. */
export async function definitionOf(ask: Ask, { schema, table }: Found): Promise<Definition> {
  const keys = await ask<{ name: string }>(
    `SELECT constraint_name AS name FROM duckdb_constraints() WHERE database_name = current_database()
       AND constraint_type = 'FOREIGN KEY' AND (schema_name = $1 AND table_name = $2 OR referenced_table = $2)`,
    [schema, table],
  )
  if (keys.length > 0)
    throw heldBack(
      table,
      keys.map(({ name }) => `the foreign key ${name}`),
    )
  const [like] = await ask<{ sql: string }>(`SELECT sql FROM duckdb_tables() WHERE ${ofTable}`, [schema, table])
  const indexes = await ask<{ name: string; sql: string }>(
    `SELECT index_name AS name, sql FROM duckdb_indexes() WHERE ${ofTable} ORDER BY index_oid`,
    [schema, table],
  )
  if (like === undefined) throw new Error(`the table ${table} is gone in its own transaction`)
  return {
    // No table is renamed that has any.
    before: indexes.map(({ name }) => `DROP INDEX ${tableIdentifier({ schema, table: name }, duckdbNames)}`),
    create: [like.sql],
    // Numbers come from sequences, which are things of their own.
    counters: [],
    indexes: indexes.map(({ sql }) => sql),
  }
}

/** @throws {AppError} unprocessable, when nothing in the table says that the key tells its rows apart. */
export async function comparisonOf(ask: Ask, found: Found, key: readonly string[]): Promise<Comparison> {
  await needUniqueKey(ask, found, key)
  const types = new Map((await catalogColumns(ask, found)).map(({ name, type }) => [name, type]))
  // Unique indexes go by the bytes as well.
  const value = (column: string, table: string) =>
    `${table}${identifier(column, duckdbNames)}${types.get(column) === 'VARCHAR' ? ' COLLATE C' : ''}`
  return {
    key: key.map((column) => value(column, '')),
    isSameKey: (one, other) =>
      key.map((column) => `${value(column, `${one}.`)} = ${value(column, `${other}.`)}`).join(' AND '),
    isSame: (column, one, other) => `${value(column, `${one}.`)} IS NOT DISTINCT FROM ${value(column, `${other}.`)}`,
  }
}

async function needUniqueKey(ask: Ask, { schema, table }: Found, key: readonly string[]): Promise<void> {
  const unique = await ask<{ columns: string[] }>(
    `SELECT constraint_column_names AS columns FROM duckdb_constraints()
     WHERE ${ofTable} AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
     UNION ALL SELECT expressions::VARCHAR[] FROM duckdb_indexes() WHERE ${ofTable} AND is_unique`,
    [schema, table, schema, table],
  )
  // An index has the names of its columns as they stand in SQL.
  const forms = key.map((name) => new Set([name, identifier(name, duckdbNames)]))
  const isOn = (columns: readonly string[]) =>
    columns.length === key.length && forms.every((form) => columns.some((column) => form.has(column)))
  if (unique.some(({ columns }) => isOn(columns))) return
  throw withoutKey(table, key)
}
