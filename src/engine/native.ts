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

/** DuckDB's type for a column that it may read so; undefined for one that has to be read as text and checked. */
export function nativeType({ layout, evidence }: Reading, { field, position }: Column): string | undefined {
  // What is read to tell faults is read as it stands.
  if (position === null || layout === 'placed') return undefined
  const { type, missingValues, format, decimalChar, groupChar, bareNumber } = field
  const isPlain = format === undefined && decimalChar === undefined && groupChar === undefined && bareNumber !== false
  if (!isPlain || missingValues.length !== 1 || missingValues[0] !== '') return undefined
  const one = evidence[position]
  const takes = nativeShapes[type.replace(/[(].*/, '')]
  if (one === undefined || takes === undefined) return undefined
  if (countOf(one, takes) !== countOf(one, filledShapes)) return undefined
  const [precision, scale] = type.startsWith('decimal') ? (type.match(/\d+/g) ?? []).map(Number) : []
  const fits =
    precision === undefined ||
    scale === undefined ||
    (one.wholeDigits <= precision - scale && one.fractionDigits <= scale)
  return fits ? sqlTypeOf(type) : undefined
}
