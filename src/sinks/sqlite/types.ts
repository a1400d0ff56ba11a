/** Our types as SQLite's, and back. It has five ways to hold a value, and columns are declared as one likes. */
import { identifier, sqliteNames } from '../../identifiers.ts'
import type { ProducedColumn, TargetColumn } from '../../job.ts'
import type { ColumnType } from '../../table-schema.ts'
import { roomy } from '../tables.ts'

/** Digits that SQLite's only type for fractions, a double, holds exactly. */
export const exactDigits = 15

const created: Readonly<Record<string, string>> = {
  string: 'TEXT',
  integer: 'INTEGER',
  number: 'REAL',
  boolean: 'BOOLEAN',
  date: 'DATE',
  time: 'TIME',
  datetime: 'DATETIME',
}

/** A column of a table that is created. Decimals of more digits are texts, which are exact. */
export function columnSql({ name, type }: ProducedColumn): string {
  const [precision = 0, scale] = roomy(type, exactDigits) ?? []
  const sqlType = precision > exactDigits ? 'TEXT' : precision > 0 ? `DECIMAL(${precision},${scale})` : created[type]
  return `${identifier(name, sqliteNames)} ${sqlType}`
}

/** As other databases declare them: SQLite keeps whatever was written. */
const types: readonly (readonly [declared: RegExp, type: ColumnType])[] = [
  [/^(unsigned )?(big|small|tiny|medium)? ?int(eger|2|4|8)?(\(\d+\))?$/, 'integer'],
  [/^(real|float|double( precision)?)(\(\d+\))?$/, 'number'],
  [/^bool(ean)?$/, 'boolean'],
  [/^date$/, 'date'],
  [/^time(\(\d+\))?$/, 'time'],
  [/(char|clob|text)|^$/, 'string'],
]

/** What a number may look like of which no digits are told. */
const anyNumber = '[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?'

/** As it is compared: in small letters, with single spaces. */
function plain(declared: string): string {
  return declared.trim().toLowerCase().replaceAll(/\s+/g, ' ')
}

function isAnyNumber(declared: string): boolean {
  return /^(numeric|decimal|dec|number)( ?\([\d, ]+\))?$/.test(declared)
}

/**
 * How the values of a column are to be read.
 * @param type as it was declared.
 */
export function fieldOf(type: string, required: boolean): TargetColumn['field'] {
  const declared = plain(type)
  const constraints = required ? { required } : {}
  const [, precision, scale = '0'] = /^(?:numeric|decimal|dec|number) ?\((\d+)(?: ?, ?(\d+))?\)$/.exec(declared) ?? []
  if (Number(precision) >= 1 && Number(precision) <= 38 && Number(scale) <= Number(precision)) {
    return { type: `decimal(${Number(precision)},${Number(scale)})`, constraints }
  }
  // There are no zones: it is what some clock shows, and is kept as it stands.
  if (/^(datetime|timestamp)( ?\(\d+\))?( without time zone)?$/.test(declared)) {
    return { type: 'datetime', timezone: 'UTC', constraints }
  }
  // A number as it stands: a double, as which it would be read, has changed it already.
  if (isAnyNumber(declared)) return { type: 'string', constraints: { ...constraints, pattern: anyNumber } }
  if (declared === 'uuid') return { type: 'string', format: 'uuid', constraints }
  const known = types.find(([pattern]) => pattern.test(declared))
  return known === undefined ? null : { type: known[1], constraints }
}

/** Whether a column makes numbers of the texts that look like some (https://www.sqlite.org/datatype3.html, 3.1). */
function makesNumbers(declared: string): 'integers' | 'reals' | false {
  if (/int/i.test(declared)) return 'integers'
  if (/char|clob|text|blob/i.test(declared) || declared.trim() === '') return false
  return /real|floa|doub/i.test(declared) ? 'reals' : 'integers'
}

const infinities: Readonly<Record<string, number>> = { inf: Infinity, '-inf': -Infinity }

/**
 * What is bound for a cell of the file, so that the column holds it as it is; undefined where it is the text itself.
 * @param declared the column's type.
 * @returns undefined for a value that the column would change.
 */
export function bindingOf(
  type: ColumnType,
  declared: string,
): ((text: string) => string | number | undefined) | undefined {
  const numbers = makesNumbers(declared)
  if (type === 'number') return (text) => infinities[text] ?? text
  if (numbers === false) return undefined
  const ifExact = (text: string) => (isExact(text, numbers) ? text : undefined)
  if (type === 'string') {
    if (isAnyNumber(plain(declared))) return (text) => (looksNumeric(text) ? ifExact(text) : undefined)
    return (text) => (looksNumeric(text) && String(Number(text)) !== text ? undefined : text)
  }
  if (type === 'integer') return numbers === 'reals' ? ifExact : undefined
  const [, precision] = /^decimal\((\d+),/.exec(type) ?? []
  return precision === undefined || Number(precision) <= exactDigits ? undefined : ifExact
}

function looksNumeric(text: string): boolean {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text)
}

/** Whether it is the same number to SQLite, which has integers of 64 bits, and doubles. */
function isExact(text: string, numbers: 'integers' | 'reals'): boolean {
  const [mantissa = '', exponent] = text.trim().toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.replace(/^[-+]/, '').split('.')
  const decimals = fraction.replace(/0+$/, '')
  if (decimals === '' && exponent === undefined) {
    const value = BigInt(whole)
    if (numbers === 'reals' ? value <= Number.MAX_SAFE_INTEGER : value < 2n ** 63n) return true
  }
  // With more, a double is infinite, or next to nothing.
  if (Math.abs(Number(exponent ?? 0)) > 290) return false
  return `${whole}${decimals}`.replace(/^0+/, '').replace(/0+$/, '').length <= exactDigits
}
