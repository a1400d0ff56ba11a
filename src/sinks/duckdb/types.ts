/** Our types as DuckDB's, and back. */
import { duckdbNames, identifier } from '../../identifiers.ts'
import type { ProducedColumn, TargetColumn } from '../../job.ts'
import type { ColumnType, Constraints } from '../../table-schema.ts'
import { roomy } from '../tables.ts'

const created: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  time: 'TIME',
  // A moment, whatever zone the reader is in.
  datetime: 'TIMESTAMPTZ',
}

/** A column of a table that is created. */
export function columnSql({ name, type }: ProducedColumn): string {
  const [precision, scale] = roomy(type, 18) ?? []
  const sqlType = precision === undefined ? created[type] : `DECIMAL(${precision},${scale})`
  return `${identifier(name, duckdbNames)} ${sqlType}`
}

const types: Readonly<Record<string, ColumnType>> = {
  BIGINT: 'integer',
  HUGEINT: 'decimal(38,0)',
  FLOAT: 'number',
  DOUBLE: 'number',
  BOOLEAN: 'boolean',
  DATE: 'date',
  TIME: 'time',
  'TIMESTAMP WITH TIME ZONE': 'datetime',
  VARCHAR: 'string',
}

const ranges: Readonly<Record<string, readonly [minimum: number, maximum: number]>> = {
  TINYINT: [-(2 ** 7), 2 ** 7 - 1],
  SMALLINT: [-(2 ** 15), 2 ** 15 - 1],
  INTEGER: [-(2 ** 31), 2 ** 31 - 1],
  UTINYINT: [0, 2 ** 8 - 1],
  USMALLINT: [0, 2 ** 16 - 1],
  UINTEGER: [0, 2 ** 32 - 1],
}

/** Beyond what an integer of ours can be. */
const unsigned: Readonly<Record<string, ColumnType>> = { UBIGINT: 'decimal(20,0)', UHUGEINT: 'decimal(38,0)' }

/**
 * How the values of a column are to be read.
 * @param type as `duckdb_columns()` has it, such as `DECIMAL(18,2)`.
 */
export function fieldOf(type: string, required: boolean): TargetColumn['field'] {
  const must: Constraints = required ? { required } : {}
  const known = types[type]
  if (known !== undefined) return { type: known, constraints: must }
  const [minimum, maximum] = ranges[type] ?? []
  if (minimum !== undefined) return { type: 'integer', constraints: { ...must, minimum, maximum } }
  const great = unsigned[type]
  if (great !== undefined) return { type: great, constraints: { ...must, minimum: 0 } }
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? []
  if (precision !== undefined) return { type: `decimal(${Number(precision)},${Number(scale)})`, constraints: must }
  const [, labels] = /^ENUM\((.*)\)$/s.exec(type) ?? []
  if (labels !== undefined) return { type: 'string', constraints: { ...must, enum: textsIn(labels) } }
  if (type === 'UUID') return { type: 'string', format: 'uuid', constraints: must }
  // What has no zone there is what some clock shows, and is kept as it stands.
  if (/^TIMESTAMP(_S|_MS|_NS)?$/.test(type)) return { type: 'datetime', timezone: 'UTC', constraints: must }
  return null
}

/** What stands in single quotes, such as `'a', 'it''s'`. */
function textsIn(sql: string): string[] {
  return Array.from(sql.matchAll(/'((?:[^']|'')*)'/gs), ([, text = '']) => text.replaceAll("''", "'"))
}
