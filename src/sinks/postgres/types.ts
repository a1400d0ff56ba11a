/** Our types as PostgreSQL's, and back. */
import { identifier, postgresNames } from '../../identifiers.ts'
import type { ColumnType, Constraints } from '../../table-schema.ts'
import type { ProducedColumn, TargetColumn } from '../../job.ts'
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

/** What the system catalogs tell of a column's values. */
export interface Described {
  /** As `format_type` has it, such as `character varying(20)`. */
  readonly type: string
  /** Of an enumeration. */
  readonly labels: readonly string[] | null
  readonly isRequired: boolean
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

/** How the values of a column are to be read. */
export function fieldOf({ type, labels, isRequired: required }: Described): TargetColumn['field'] {
  const must: Constraints = required ? { required } : {}
  if (labels !== null) return { type: 'string', constraints: { ...must, enum: labels } }
  const plain = type.replace(/^(time|timestamp)\(\d\)/, '$1')
  const known = types[plain]
  if (known !== undefined) return { type: known, constraints: must }
  // What has no zone there is what some clock shows, and is kept as it stands.
  if (plain === 'timestamp without time zone') return { type: 'datetime', timezone: 'UTC', constraints: must }
  const [minimum, maximum] = ranges[type] ?? []
  if (minimum !== undefined) return { type: 'integer', constraints: { ...must, minimum, maximum } }
  const [precision, scale] = decimalOf(type) ?? []
  if (precision !== undefined && scale !== undefined && isOurs(precision, scale)) {
    return { type: `decimal(${precision},${scale})`, constraints: must }
  }
  if (type === 'numeric') return { type: 'string', constraints: { ...must, pattern: anyNumber } }
  const [, most] = /^character(?: varying)?\((\d+)\)$/.exec(type) ?? []
  if (most !== undefined) return { type: 'string', constraints: { ...must, maxLength: Number(most) } }
  if (type === 'character varying') return { type: 'string', constraints: must }
  if (type === 'uuid') return { type: 'string', format: 'uuid', constraints: must }
  return null
}

function decimalOf(type: string): [precision: number, scale: number] | undefined {
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)$/.exec(type) ?? []
  return precision === undefined ? undefined : [Number(precision), Number(scale)]
}

function isOurs(precision: number, scale: number): boolean {
  return precision <= 38 && scale >= 0 && scale <= precision
}

/**
 * Types of which a text does not tell what will be kept of it: money is read as some country writes it, an interval of
 * certain fields loses the others, and whatever lists hold is rounded one by one.
 */
export function isUnclear(type: string): boolean {
  return /^(money|interval [a-z].*|(numeric|interval|time|timestamp).*[(].*\[\])$/.test(type)
}

/** What a column keeps of a value, where PostgreSQL takes more and says nothing of what it rounds or cuts. */
export interface Limit {
  readonly unit: 'digits of a fraction of a second' | 'decimals' | 'bytes'
  readonly most: number
}

/** Undefined where nothing is lost, or what would be is told. */
export function limitOf(type: string): Limit | undefined {
  if (type === 'name') return { unit: 'bytes', most: 63 }
  if (type === '"char"') return { unit: 'bytes', most: 1 }
  const [precision, scale] = decimalOf(type) ?? []
  if (precision !== undefined && scale !== undefined) {
    // Those of our own come with no more decimals than there is room for.
    return isOurs(precision, scale) ? undefined : { unit: 'decimals', most: scale }
  }
  const [, name, digits = '6', zone = ''] =
    /^(time|timestamp|interval)(?:\((\d)\))?( with.* time zone)?$/.exec(type) ?? []
  if (name === undefined) return undefined
  // So do times, which have no more than six digits.
  const isExact = digits === '6' && name !== 'interval' && !(name === 'time' && zone.startsWith(' with '))
  return isExact ? undefined : { unit: 'digits of a fraction of a second', most: Number(digits) }
}

/** Types whose values are the same, to the last byte of their text, if they are equal. */
const exact = /^(smallint|integer|bigint|boolean|date|uuid|numeric\(.*\)|(time|timestamp)(\(\d\))? with.*)$/

/** A value as it is compared: byte by byte, whatever its type calls equal, if it knows what that is at all. */
export function comparable(column: string, type: string): string {
  return exact.test(type) && !type.endsWith('[]') ? column : `${column}::text COLLATE "C"`
}
