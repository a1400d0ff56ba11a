/** Records that the machine has taken, written as the kernel writes those that it takes. */
import type { Place } from './fault.ts'
import { escapeCell, flatDelimiter, keptEmpty } from './flat.ts'
import { columnFlags, type Kernel, type Output } from './kernel/kernel.ts'
import { isQuoted, type Machine } from './machine.ts'
import { tabbedLine } from './tabbed.ts'

/**
 * The line of output for the machine's latest record.
 * @param kernel says how columns are written, and is told of those in which a cell of a flat copy has escapes.
 */
export function writeRecord(
  output: Output,
  machine: Machine,
  bytes: Buffer,
  place: Place,
  { flags, escaped }: Pick<Kernel, 'flags' | 'escaped'>,
): string {
  const cells = machine.cells(bytes)
  const has = (i: number, flag: number) => ((flags[i] ?? 0) & flag) !== 0
  const isKept = (i: number) => isQuoted(machine.kinds[i]) && has(i, columnFlags.keepEmpty)
  const flat = () =>
    cells.map((cell, i) => {
      const written = cell === '' && isKept(i) ? keptEmpty : escapeCell(cell)
      if (written !== cell) escaped[i] = 1
      return written
    })
  switch (output) {
    case 'nothing':
      return ''
    case 'clean':
      return cleanLine(cells, (i) => isQuoted(machine.kinds[i]))
    case 'flat':
      return `${flat().join(flatDelimiter)}\n`
    case 'placed': {
      const { line, byteOffset, byteLength, record } = place
      return `${[line, byteOffset, byteLength, record, ...flat()].join(flatDelimiter)}\n`
    }
    case 'tabbed': {
      const values = cells.map((cell, i) => (cell === '' && !isKept(i) ? null : cell))
      return tabbedLine(values.filter((_, i) => !has(i, columnFlags.leaveOut)))
    }
  }
}

/**
 * CSV with quotes only where they are needed. A cell that is quoted and empty stays so: it is not the same as nothing,
 * and alone on its line nothing would be a blank line.
 */
export function cleanLine(cells: readonly string[], wasQuoted: (index: number) => boolean = () => false): string {
  const written = cells.map((cell, i) =>
    /[",\r\n]/.test(cell) || (cell === '' && (wasQuoted(i) || cells.length === 1))
      ? `"${cell.replaceAll('"', '""')}"`
      : cell,
  )
  return `${written.join(',')}\n`
}
