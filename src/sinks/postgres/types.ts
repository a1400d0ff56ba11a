/** Our types as PostgreSQL's, and back. */
import { identifier, postgresNames } from '../../identifiers.ts'
import type { ColumnType, Constraints } from '../../table-schema.ts'
import type { ProducedColumn, TargetColumn } from '../../ports.ts'
import { roomy } from '../tables.ts'

const created: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'bigint',
  number: 'double precision',
  boolean: 'boolean',
  date: 'date',
  time: 'time',
  datetime: 'timestamptz',
}

/** A column of a table that is created. */
export function columnSql({ name, type }: ProducedColumn): string {
  const [precision, scale] = roomy(type, 18) ?? []
  const sqlType = precision === undefined ? created[type] : `numeric(${precision},${scale})`
  return `${identifier(name, postgresNames)} ${sqlType}`
}

const types: Readonly<Record<string, ColumnType>> = {
  bigint: 'integer',
  real: 'number',
  'double precision': 'number',
  boolean: 'boolean',
  date: 'date',
  'time without time zone': 'time',
  'timestamp with time zone': 'datetime',
  text: 'string',
}

const ranges: Readonly<Record<string, readonly [minimum: number, maximum: number]>> = {
  smallint: [-(2 ** 15), 2 ** 15 - 1],
  integer: [-(2 ** 31), 2 ** 31 - 1],
}

/** What a number may look like that has no limits. */
const anyNumber = '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?'

/** Types to which PostgreSQL rounds or cuts what it is given, and says nothing. */
export function changesValues(type: string): boolean {
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)$/.exec(type) ?? []
  if (precision !== undefined) return Number(precision) > 38 || Number(scale) < 0 || Number(scale) > Number(precision)
  return /^(money|bytea|name|"char"|bit.*|(time|timestamp|interval)[^(]*\([0-5]\).*)$/.test(type)
}

/**
 * How the values of a column are to be read.
 * @param type as `format_type` has it, such as `character varying(20)`.
 * @param labels of an enumeration.
 */
export function fieldOf(type: string, labels: readonly string[] | undefined, required: boolean): TargetColumn['field'] {
  const must: Constraints = required ? { required } : {}
  const known = types[type]
  if (known !== undefined) return { type: known, constraints: must }
  if (labels !== undefined) return { type: 'string', constraints: { ...must, enum: labels } }
  const [minimum, maximum] = ranges[type] ?? []
  if (minimum !== undefined) return { type: 'integer', constraints: { ...must, minimum, maximum } }
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(type) ?? []
  if (Number(precision) <= 38 && Number(scale) <= Number(precision)) {
    return { type: `decimal(${Number(precision)},${Number(scale)})`, constraints: must }
  }
  if (type === 'numeric') return { type: 'string', constraints: { ...must, pattern: anyNumber } }
  const [, most] = /^character(?: varying)?\((\d+)\)$/.exec(type) ?? []
  if (most !== undefined) return { type: 'string', constraints: { ...must, maxLength: Number(most) } }
  if (type === 'character varying') return { type: 'string', constraints: must }
  if (type === 'uuid') return { type: 'string', format: 'uuid', constraints: must }
  // What has no zone there is what some clock shows, and is kept as it stands.
  if (type === 'timestamp without time zone') return { type: 'datetime', timezone: 'UTC', constraints: must }
  return null
}
