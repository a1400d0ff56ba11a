/** Records that the machine has taken, written as the kernel writes those that it takes. */
import type { Place } from './fault.ts'
import { escapeCell, flatDelimiter } from './flat.ts'
import type { Output } from './kernel/kernel.ts'
import { isQuoted, type Machine } from './machine.ts'

/**
 * The line of output for the machine's latest record.
 * @param escaped by column, is set to 1 where a cell is written with escapes.
 */
export function writeRecord(
  output: Output,
  machine: Machine,
  bytes: Buffer,
  place: Place,
  escaped: Uint8Array,
): string {
  const cells = machine.cells(bytes)
  const flat = () =>
    cells.map((cell, i) => {
      const written = escapeCell(cell)
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
