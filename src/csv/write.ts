/** Records that the machine has taken, written as the kernel writes those that it takes. */
import type { Dialect } from './dialect.ts'
import { escapeCell, flatDelimiter } from './flat.ts'
import type { Output } from './kernel/kernel.ts'
import { isQuoted, type Machine } from './machine.ts'

export interface Place {
  readonly line: number
  readonly byteOffset: number
  readonly byteLength: number
  readonly record: number
}

/** The line of output for the machine's latest record. */
export function writeRecord(output: Output, machine: Machine, bytes: Buffer, place: Place): string {
  const cells = machine.cells(bytes)
  switch (output) {
    case 'nothing':
      return ''
    case 'clean':
      return cleanLine(cells, (i) => isQuoted(machine.kinds[i]))
    case 'flat':
      return `${cells.map(escapeCell).join(flatDelimiter)}\n`
    case 'placed': {
      const { line, byteOffset, byteLength, record } = place
      return `${[line, byteOffset, byteLength, record, ...cells.map(escapeCell)].join(flatDelimiter)}\n`
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

/** Whether the kernel can read a dialect, and write what is asked for. It writes cells in quotes as they stand. */
export function suitsKernel({ delimiter, quote, escape, comment }: Dialect, output: Output): boolean {
  const isFlat = output === 'flat' || output === 'placed'
  // Within quotes the delimiter is text, and in a flat copy some text must be escaped.
  const writes = output === 'clean' ? quote === null || quote === '"' : !isFlat || escapeCell(delimiter) === delimiter
  const isByte = delimiter.length === 1 && delimiter <= '\u007f'
  return writes && isByte && comment === null && (quote === null || escape === quote)
}
