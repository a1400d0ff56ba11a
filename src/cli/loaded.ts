import type { TableOutput } from '../model.ts'
import type { OutputBalance } from '../balances.ts'
import { inLine } from './harmless.ts'
import { quantity } from './progress.ts'

/** `warehouse people: 1,000 rows (990 inserted, 10 updated)`. */
export function tableLine({ to, table, rows }: TableOutput, balance: OutputBalance | undefined): string {
  return `${to} ${inLine(table)}: ${countedRows(rows, balance)}`
}

/** `1,000 rows (990 inserted, 10 updated)`. */
export function countedRows(rows: number, balance: OutputBalance | undefined): string {
  const { inserted = 0, updated = 0, unchanged = 0 } = balance ?? {}
  const counts = Object.entries({ inserted, updated, unchanged }).filter(([, count]) => count > 0)
  const all = counts.map(([word, count]) => `${count.toLocaleString('en')} ${word}`).join(', ')
  return `${quantity(rows, 'rows')}${all === '' ? '' : ` (${all})`}`
}
