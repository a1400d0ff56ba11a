import { inLine } from './harmless.ts'

/** Columns side by side, two spaces apart; the last one is not padded. One line a row, whatever is in its cells. */
export function table(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map((cell) => inLine(cell.replaceAll(/[\t-\r]+/g, ' '))))
  const widths: number[] = []
  for (const row of shown) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return shown
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
