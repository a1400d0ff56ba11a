/** Rows for tables, as SQL: what is written of each value, and which types the columns have. */
import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { quoteName } from '../identifiers.ts'
import type { ColumnType } from '../table-schema.ts'
import type { PlacedColumn } from './target.ts'

/** A column that a SELECT gives. */
export interface ResultColumn {
  readonly name: string
  readonly type: DuckDBType
}

const whole: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
])

/** What `sum` of integers makes, and more: up to 39 digits, of which 38 can be held. */
const huge: ReadonlySet<DuckDBTypeId> = new Set([DuckDBTypeId.UBIGINT, DuckDBTypeId.HUGEINT, DuckDBTypeId.UHUGEINT])

const moments: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TIMESTAMP,
  DuckDBTypeId.TIMESTAMP_S,
  DuckDBTypeId.TIMESTAMP_MS,
  DuckDBTypeId.TIMESTAMP_NS,
  DuckDBTypeId.TIMESTAMP_TZ,
])

const words = new Map<DuckDBTypeId, ColumnType>([
  [DuckDBTypeId.FLOAT, 'number'],
  [DuckDBTypeId.DOUBLE, 'number'],
  [DuckDBTypeId.BOOLEAN, 'boolean'],
  [DuckDBTypeId.DATE, 'date'],
  [DuckDBTypeId.TIME, 'time'],
])

/** A column's type in our words. What has no word is text, and written as JSON where it is made of others. */
export function columnTypeOf(type: DuckDBType): ColumnType {
  const { typeId } = type
  if (type.typeId === DuckDBTypeId.DECIMAL) return `decimal(${type.width},${type.scale})`
  if (whole.has(typeId)) return 'integer'
  if (huge.has(typeId)) return 'decimal(38,0)'
  return moments.has(typeId) ? 'datetime' : (words.get(typeId) ?? 'string')
}

const nested: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.LIST,
  DuckDBTypeId.ARRAY,
  DuckDBTypeId.STRUCT,
  DuckDBTypeId.MAP,
  DuckDBTypeId.UNION,
])

/** One text a row, as `csv/tabbed.ts` describes it. */
export function tabbedSql(sql: string, columns: readonly ResultColumn[], placed: readonly PlacedColumn[]): string {
  const cells = selected(columns, placed).map(({ value, type }) => `coalesce(${textSql(value, type)}, '\\N')`)
  return `SELECT ${cells.join(' || chr(9) || ')} FROM ${source(sql, columns)}`
}

/** The columns under their names in the table. */
export function placedSql(sql: string, columns: readonly ResultColumn[], placed: readonly PlacedColumn[]): string {
  const values = selected(columns, placed).map(({ value, type }, i) => {
    const held = columnTypeOf(type) === 'string' ? plainSql(value, type) : value
    // A huge integer of DuckDB's is a double in Parquet.
    const cast = huge.has(type.typeId) ? `${held}::DECIMAL(38, 0)` : held
    return `${cast} AS ${quoteName(placed[i]?.name ?? '')}`
  })
  return `SELECT ${values.join(', ')} FROM ${source(sql, columns)}`
}

function source(sql: string, columns: readonly ResultColumn[]): string {
  return `(${sql}\n) AS output(${columns.map((_, i) => `v${i}`).join(', ')})`
}

function selected(columns: readonly ResultColumn[], placed: readonly PlacedColumn[]) {
  return placed.map(({ from }) => {
    const i = columns.findIndex(({ name }) => name === from)
    const column = columns[i]
    if (column === undefined) throw new RangeError(`there is no column ${from}`)
    return { value: `v${i}`, type: column.type }
  })
}

function textSql(value: string, type: DuckDBType): string {
  const known = columnTypeOf(type)
  if (known === 'string') return escapedSql(plainSql(value, type))
  // Both databases take a number for a truth value.
  if (known === 'boolean') return `${value}::INTEGER::VARCHAR`
  // A moment with a zone would be written with it, which MySQL cannot read.
  return known === 'datetime' ? `${value}::TIMESTAMP::VARCHAR` : `${value}::VARCHAR`
}

function plainSql(value: string, type: DuckDBType): string {
  if (type.typeId === DuckDBTypeId.VARCHAR) return value
  return nested.has(type.typeId) ? `to_json(${value})::VARCHAR` : `${value}::VARCHAR`
}

function escapedSql(text: string): string {
  const escapes = [
    ["'\\'", "'\\\\'"],
    ['chr(9)', "'\\t'"],
    ['chr(10)', "'\\n'"],
    ['chr(13)', "'\\r'"],
  ] as const
  return escapes.reduce((sql, [plain, escape]) => `replace(${sql}, ${plain}, ${escape})`, text)
}
