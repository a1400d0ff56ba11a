/** What the cells of each column look like: how many have which shape, and where each shape was first seen. */
import { type Shape, shapeOf, shapes } from './shapes.ts'

/** Places for shapes per column, a power of two. */
export const shapeSlots = 16

/** By column, and by column and shape; the kernel writes into the same arrays. */
export interface EvidenceArrays {
  readonly counts: Float64Array
  /** 1-based physical lines; of no meaning where the count is 0. */
  readonly firstLines: Float64Array
  /** Bytes of the longest cell, as it is written. */
  readonly longest: Uint32Array
  /** Digits before and behind the point, at most, of integers and decimals. */
  readonly wholeDigits: Uint8Array
  readonly fractionDigits: Uint8Array
}

export interface ColumnEvidence {
  readonly counts: Readonly<Record<Shape, number>>
  readonly firstLines: Readonly<Record<Shape, number>>
  readonly longest: number
  readonly wholeDigits: number
  readonly fractionDigits: number
}

/** Notes a cell, as the kernel does. */
export function note(
  to: EvidenceArrays,
  column: number,
  text: string,
  bytes: number,
  quoted: boolean,
  line: number,
): void {
  const shape = bytes === 0 ? (quoted ? 'quoted-empty' : 'empty') : shapeOf(text)
  const slot = column * shapeSlots + shapes.indexOf(shape)
  const count = to.counts[slot] ?? 0
  if (count === 0) to.firstLines[slot] = line
  to.counts[slot] = count + 1
  to.longest[column] = Math.max(to.longest[column] ?? 0, bytes)
  if (shape !== 'integer' && shape !== 'decimal') return
  const [whole = '', fraction = ''] = text.replace('-', '').split('.')
  to.wholeDigits[column] = Math.max(to.wholeDigits[column] ?? 0, whole.length)
  to.fractionDigits[column] = Math.max(to.fractionDigits[column] ?? 0, fraction.length)
}

export function columnEvidence(from: EvidenceArrays, column: number): ColumnEvidence {
  const by = (array: Float64Array) =>
    Object.fromEntries(shapes.map((shape, i) => [shape, array[column * shapeSlots + i] ?? 0])) as Record<Shape, number>
  return {
    counts: by(from.counts),
    firstLines: by(from.firstLines),
    longest: from.longest[column] ?? 0,
    wholeDigits: from.wholeDigits[column] ?? 0,
    fractionDigits: from.fractionDigits[column] ?? 0,
  }
}

/** How many cells have one of the shapes. */
export function countOf({ counts }: Pick<ColumnEvidence, 'counts'>, some: readonly Shape[]): number {
  return some.reduce((sum, shape) => sum + counts[shape], 0)
}

/** The evidence of several files as that of one. Lines are those of the first file that has the shape. */
export function merge(one: ColumnEvidence, other: ColumnEvidence | undefined): ColumnEvidence {
  if (other === undefined) return one
  const by = (value: (shape: Shape) => number) =>
    Object.fromEntries(shapes.map((shape) => [shape, value(shape)])) as Record<Shape, number>
  return {
    counts: by((shape) => one.counts[shape] + other.counts[shape]),
    firstLines: by((shape) => (one.counts[shape] > 0 ? one.firstLines[shape] : other.firstLines[shape])),
    longest: Math.max(one.longest, other.longest),
    wholeDigits: Math.max(one.wholeDigits, other.wholeDigits),
    fractionDigits: Math.max(one.fractionDigits, other.fractionDigits),
  }
}
