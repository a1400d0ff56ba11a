/**
 * What a declared column takes, as SQL over a cell's text: the typed value, and the strict question beside it whether
 * the cell means exactly that value. A missing value is NULL and always sound.
 */
import { booleans, type ColumnType, type Field, plainField } from '../table-schema.ts'
import { matching, type CellReading } from './cells.ts'
import { quoteText } from './duckdb.ts'
import { decimalReading, integerReading, numberReading } from './numbers.ts'
import { dateReading, datetimeReading, timeReading } from './times.ts'

/** How a column's cells are read, but for what stands for a missing value. */
export function readingOf(field: Omit<Field, 'name'>): CellReading {
  switch (field.type) {
    case 'string':
      return stringReading(field.format)
    case 'integer':
      return integerReading(field)
    case 'number':
      return numberReading(field)
    case 'boolean':
      return booleanReading(field)
    case 'date':
      return dateReading(field)
    case 'time':
      return timeReading(field)
    case 'datetime':
      return datetimeReading(field)
    default:
      return decimalReading(field.type, field)
  }
}

/** DuckDB's name of the type. */
export function sqlTypeOf(type: ColumnType): string {
  return readingOf(plainField('', type)).sqlType
}

/** The typed value of a cell; NULL where it is missing. */
export function valueSql(field: Field, cell: string): string {
  const value = readingOf(field).value(cell)
  const { missingValues } = field
  const [only, ...others] = missingValues
  if (only === undefined) return value
  if (field.type === 'string' && others.length === 0) return `nullif(${value}, ${quoteText(only)})`
  // Nothing is no number and no time, so that an empty cell needs no question.
  if (only === '' && others.length === 0 && field.type !== 'boolean') return value
  return `CASE WHEN ${among(cell, missingValues)} THEN NULL ELSE ${value} END`
}

/** True for a cell that is missing or sound, never NULL; undefined where every cell is. */
export function soundSql(field: Field, cell: string, value: string): string | undefined {
  const { quick, strict } = readingOf(field)
  if (strict === undefined) return undefined
  const before = [
    ...(quick === undefined ? [] : [quick(cell, value)]),
    ...(field.missingValues.length === 0 ? [] : [among(cell, field.missingValues)]),
  ]
  const first = before.map((sql) => `WHEN ${sql} THEN true`).join(' ')
  return `CASE ${first} WHEN ${strict(cell, value)} THEN true ELSE false END`
}

function among(cell: string, texts: readonly string[]): string {
  return texts.length === 1
    ? `${cell} = ${texts.map(quoteText).join('')}`
    : `${cell} IN (${texts.map(quoteText).join(', ')})`
}

const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const atom = "[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+"

/** Addresses as mail programs take them (RFC 5321's dot-string), URIs by RFC 3986, UUIDs by RFC 9562. */
const formats: Readonly<Record<string, { about: string; pattern: string }>> = {
  email: { about: 'an e-mail address', pattern: `${atom}([.]${atom})*@${label}([.]${label})+` },
  uri: {
    about: 'a URI with its scheme',
    pattern: "[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?#@!$&''()*+,;=\\[\\]-]|%[0-9A-Fa-f]{2})+",
  },
  uuid: { about: 'a UUID', pattern: '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}' },
}

function stringReading(format: string | undefined): CellReading {
  const known = format === undefined ? undefined : formats[format]
  const plain = { sqlType: 'VARCHAR', about: 'text', value: (cell: string) => cell }
  if (known === undefined) return plain
  return { ...plain, about: known.about, strict: (cell) => matching(known.pattern, cell, 'true') }
}

function booleanReading({
  trueValues = booleans.true,
  falseValues = booleans.false,
}: Omit<Field, 'name'>): CellReading {
  const isDefault = trueValues === booleans.true && falseValues === booleans.false
  const all = [...trueValues, ...falseValues].map((text) => `“${text}”`).join(', ')
  return {
    sqlType: 'BOOLEAN',
    about: isDefault ? 'true or false' : `one of ${all}`,
    value: (cell) => `CASE WHEN ${among(cell, trueValues)} THEN true WHEN ${among(cell, falseValues)} THEN false END`,
    strict: (_, value) => `${value} IS NOT NULL`,
  }
}
