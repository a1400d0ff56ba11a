import type { RejectLine } from '../pipeline/rejects.ts'
import { table } from './table.ts'

/** How many rejects are shown; the rest is in the file. */
export const shownRejects = 5

/** The first rejects of a run for people to see, and how many more there are. */
export function rejectsTable(first: readonly RejectLine[], count: number): string {
  const rows = first.map(({ input, line, column, code, message }) => [
    input,
    String(line),
    column ?? '',
    code,
    message.replaceAll(/\s+/g, ' '),
  ])
  const more = count - first.length
  return table([['INPUT', 'LINE', 'COLUMN', 'CODE', 'MESSAGE'], ...rows]) + (more > 0 ? `… and ${more} more\n` : '')
}
