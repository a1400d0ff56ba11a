/** Our types as MySQL's, and back. */
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { ColumnType, Constraints } from '../../table-schema.ts'
import type { ProducedColumn, TargetColumn } from '../../job.ts'
import { roomy } from '../tables.ts'

const created: Readonly<Record<string, string>> = {
  integer: 'bigint',
  number: 'double',
  boolean: 'boolean',
  date: 'date',
  time: 'time(6)',
  datetime: 'datetime(6)',
}

/**
 * A column of a table that is created.
 * @param text the type of strings.
 */
export function columnSql({ name, type }: ProducedColumn, text: string): string {
  const [precision, scale] = roomy(type, 18) ?? []
  const sqlType = precision === undefined ? (created[type] ?? text) : `decimal(${precision},${scale})`
  return `${identifier(name, mysqlNames)} ${sqlType}`
}

/** Type of strings by which rows are told apart: an index holds 3072 bytes in all, and a character takes up to four. */
export function keyText(columns: readonly ProducedColumn[]): string {
  const texts = columns.filter(({ type }) => type === 'string').length
  return `varchar(${Math.min(255, Math.floor(700 / Math.max(1, texts)))})`
}

const types: Readonly<Record<string, ColumnType>> = {
  'tinyint(1)': 'boolean',
  float: 'number',
  double: 'number',
  date: 'date',
  text: 'string',
  mediumtext: 'string',
  longtext: 'string',
}

const integerBits: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 }

/**
 * How the values of a column are to be read.
 * @param type as the information schema has it, such as `int(10) unsigned`.
 */
export function fieldOf(type: string, required: boolean): TargetColumn['field'] {
  const must: Constraints = required ? { required } : {}
  const known = types[type]
  if (known !== undefined) return { type: known, constraints: must }
  const [, name = '', inside = '', more = ''] = /^(\w+)(?:\((.*)\))?(.*)$/s.exec(type) ?? []
  const isUnsigned = more.includes('unsigned')
  const notBelow: Constraints = isUnsigned ? { minimum: 0 } : {}
  const bits = integerBits[name]
  if (bits !== undefined) return integerField(bits, isUnsigned, must)
  switch (name) {
    case 'decimal':
    case 'float':
    case 'double': {
      // A float of so many digits is rounded to them, as a decimal is.
      const [, precision, scale] = /^(\d+),(\d+)$/.exec(inside) ?? []
      const constraints = { ...must, ...notBelow }
      if (precision === undefined) return { type: 'number', constraints }
      return Number(precision) > 38 ? null : { type: `decimal(${Number(precision)},${Number(scale)})`, constraints }
    }
    case 'char':
    case 'varchar':
      return { type: 'string', constraints: { ...must, maxLength: Number(inside) } }
    case 'tinytext':
      // In bytes; of characters it may be fewer.
      return { type: 'string', constraints: { ...must, maxLength: 255 } }
    case 'enum':
      return { type: 'string', constraints: { ...must, enum: labelsOf(inside) } }
    case 'uuid':
      return { type: 'string', format: 'uuid', constraints: must }
    case 'time':
      return { type: 'time', constraints: must }
    case 'timestamp':
      return { type: 'datetime', constraints: must }
    case 'datetime':
      // What has no zone there is what some clock shows, and is kept as it stands.
      return { type: 'datetime', timezone: 'UTC', constraints: must }
    default:
      return null
  }
}

function integerField(bits: number, isUnsigned: boolean, must: Constraints): TargetColumn['field'] {
  if (bits === 64) {
    return isUnsigned
      ? { type: 'decimal(20,0)', constraints: { ...must, minimum: 0 } }
      : { type: 'integer', constraints: must }
  }
  const minimum = isUnsigned ? 0 : -(2 ** (bits - 1))
  return { type: 'integer', constraints: { ...must, minimum, maximum: minimum + 2 ** bits - 1 } }
}

/** `'a','it''s','\\'` → a, it's, \. */
function labelsOf(list: string): string[] {
  return Array.from(list.matchAll(/'((?:[^']|'')*)'/g), ([, label = '']) =>
    label.replaceAll(/''|\\(.)/g, (_, escaped?: string) =>
      escaped === undefined ? "'" : (controls[escaped] ?? escaped),
    ),
  )
}

const controls: Readonly<Record<string, string>> = { '0': '\0', n: '\n', r: '\r' }
