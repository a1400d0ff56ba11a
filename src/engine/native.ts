/** Which columns DuckDB may read as their type at once, since the reader has looked at every cell of them. */
import { countOf } from '../csv/evidence.ts'
import type { Reading } from '../csv/read.ts'
import { filledShapes, type Shape } from '../csv/shapes.ts'
import type { Column } from './columns.ts'
import { sqlTypeOf } from './types.ts'

/** The shapes that DuckDB reads as the type, each as exactly the value that it says. */
const nativeShapes: Readonly<Record<string, readonly Shape[]>> = {
  integer: ['integer'],
  number: ['integer', 'decimal'],
  decimal: ['integer', 'decimal'],
  date: ['date'],
}

/** Whether every cell that the reader has seen is of the column's type, and written as DuckDB and databases read it. */
export function isProven({ evidence }: Pick<Reading, 'evidence'>, { field, position }: Column): boolean {
  if (position === null) return false
  const { type, missingValues, format, decimalChar, groupChar, bareNumber } = field
  const isPlain = format === undefined && decimalChar === undefined && groupChar === undefined && bareNumber !== false
  if (!isPlain || missingValues.length !== 1 || missingValues[0] !== '') return false
  if (type === 'string') return true
  const one = evidence[position]
  const takes = nativeShapes[type.replace(/[(].*/, '')]
  if (one === undefined || takes === undefined) return false
  if (countOf(one, takes) !== countOf(one, filledShapes)) return false
  const [precision, scale] = type.startsWith('decimal') ? (type.match(/\d+/g) ?? []).map(Number) : []
  if (precision === undefined || scale === undefined) return true
  return one.wholeDigits <= precision - scale && one.fractionDigits <= scale
}

/** DuckDB's type for a column that it may read so; undefined for one that has to be read as text and checked. */
export function nativeType(reading: Reading, column: Column): string | undefined {
  const { field, position } = column
  // What is read to tell faults is read as it stands, and an escape is no number.
  if (position === null || reading.layout === 'placed' || reading.escaped[position] === true) return undefined
  return field.type !== 'string' && isProven(reading, column) ? sqlTypeOf(field.type) : undefined
}

/** Whether the evidence of all cells answers a check of a column, so that no cell needs to be asked. */
export function isAnswered({ evidence }: Pick<Reading, 'evidence'>, column: Column, key: string): boolean {
  const one = column.position === null ? undefined : evidence[column.position]
  if (one === undefined || !isProven({ evidence }, column)) return false
  const { type, constraints, keepsEmpty } = column.field
  if (key === 'required') return countOf(one, keepsEmpty === true ? ['empty'] : ['empty', 'quoted-empty']) === 0
  // A text has at least as many bytes as characters.
  if (key === 'maxLength') return type === 'string' && one.longest <= (constraints.maxLength ?? -1)
  if (type !== 'integer' || one.wholeDigits > 15) return false
  const most = 10 ** one.wholeDigits - 1
  if (key === 'maximum') return typeof constraints.maximum === 'number' && constraints.maximum >= most
  return key === 'minimum' && typeof constraints.minimum === 'number' && constraints.minimum <= -most
}
