/** The type of a column by the evidence of all its cells, and what that evidence is. */
import { type ColumnType, columnTypes } from '../table-schema.ts'
import { type ColumnEvidence, countOf } from './evidence.ts'
import { filledShapes, type Shape, shapes } from './shapes.ts'

export interface InferredColumn {
  readonly type: ColumnType
  /** Cells, and among them those that hold nothing: empty ones, and empty ones in quotes. */
  readonly values: number
  readonly nulls: number
  readonly quotedEmpty: number
  /** Bytes of the longest cell, as it is written. */
  readonly longest: number
  /** How many values fit each type that any value fits (text fits none but `string`, which all fit). */
  readonly fits: Readonly<Record<string, number>>
  /** For each of these types that is not the column's: on which lines a value first did not fit, by what it looks like. */
  readonly counterexamples: Readonly<Record<string, readonly Counterexample[]>>
}

export interface Counterexample {
  readonly line: number
  readonly shape: Shape
}

/** Which shapes a type takes. In order of preference; `string` takes all. */
const takes: readonly (readonly [type: string, shapes: readonly Shape[]])[] = [
  ['integer', ['integer']],
  ['decimal', ['integer', 'decimal']],
  ['boolean', ['boolean']],
  ['date', ['date']],
  ['time', ['time']],
  ['datetime', ['datetime']],
]

/** @param evidence of the column in one file, or merged of several. */
export function infer(evidence: ColumnEvidence): InferredColumn {
  const { counts, firstLines } = evidence
  const count = (some: readonly Shape[]) => countOf(evidence, some)
  const filled = count(filledShapes)
  const fitting = takes.filter(([, some]) => count(some) > 0)
  const winner = filled === 0 ? undefined : fitting.find(([, some]) => count(some) === filled)?.[0]
  const others = fitting.filter(([type]) => type !== winner)
  const against = (some: readonly Shape[]): Counterexample[] =>
    filledShapes
      .filter((shape) => counts[shape] > 0 && !some.includes(shape))
      .map((shape) => ({ line: firstLines[shape], shape }))
      .toSorted((a, b) => a.line - b.line)
  return {
    type: typeOf(winner, evidence),
    values: count(shapes),
    nulls: counts.empty,
    quotedEmpty: counts['quoted-empty'],
    longest: evidence.longest,
    fits: Object.fromEntries(fitting.map(([type, some]) => [type, count(some)])),
    counterexamples: Object.fromEntries(
      others.map(([type, some]) => [type, against(some)] as const).filter(([, found]) => found.length > 0),
    ),
  }
}

function typeOf(winner: string | undefined, { wholeDigits, fractionDigits }: ColumnEvidence): ColumnType {
  if (winner === 'decimal') return `decimal(${wholeDigits + fractionDigits},${fractionDigits})`
  return columnTypes.find((type) => type === winner) ?? 'string'
}
