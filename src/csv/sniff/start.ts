/** Where a table may begin, going by the number of cells of its rows, and how many cells that may be. */
import type { Row } from './trial.ts'

/** More rows above a table are hardly its preamble. */
const longestPreamble = 60

export interface Shape {
  readonly start: number
  readonly width: number
}

/** The likely shapes of the rows: the commonest widths, wide ones first among equals, with every start that may be. */
export function shapesOf(rows: readonly Row[]): Shape[] {
  const counts = new Map<number, number>()
  for (const row of rows) if (row.sound && row.width > 1) counts.set(row.width, (counts.get(row.width) ?? 0) + 1)
  const weigh = ([width, count]: readonly [number, number]) => count * (1 - 1 / width)
  const common = [...counts].toSorted((a, b) => weigh(b) - weigh(a)).slice(0, 3)
  return common.flatMap(([width]) => {
    const first = firstOf(rows, width)
    return first === 0 ? [{ start: 0, width }] : [0, first].map((start) => ({ start, width }))
  })
}

/** The first row of the table below rows that are no part of it; 0 where there are none. */
function firstOf(rows: readonly Row[], width: number): number {
  const first = rows.findIndex((row, at) => row.sound && row.width === width && isFollowed(rows, at, width))
  if (first <= 0 || first > longestPreamble) return 0
  const above = rows.slice(0, first)
  const areNotes = above.filter(({ marked }) => marked).length > 1
  const narrow = above.filter((row) => (areNotes && row.marked) || row.width <= Math.max(1, width / 2))
  // One cell too few or too many is a ragged header, and a part of the table.
  return narrow.length >= above.length * 0.8 && narrow.at(-1) === above.at(-1) ? first : 0
}

/** Whether at least half of the next rows are as wide. */
function isFollowed(rows: readonly Row[], at: number, width: number): boolean {
  const next = rows.slice(at + 1, at + 6)
  return next.filter((row) => row.width === width).length * 2 >= next.length
}
