import type { Plan } from '../balances.ts'
import { inLine } from './harmless.ts'
import { countedRows } from './loaded.ts'

/** What a dry run has found out, for people; the hash goes to stdout, for `--plan`. */
export function planText({ inputs, outputs }: Omit<Plan, 'hash'>): string {
  const read = Object.entries(inputs).map(([input, { records, accepted, rejected }]) => {
    return `${inLine(input)}: ${records.toLocaleString('en')} records (${accepted.toLocaleString('en')} accepted, ${rejected.toLocaleString('en')} rejected)\n`
  })
  const written = Object.entries(outputs).map(([output, balance]) => {
    return `${inLine(output)}: ${countedRows(balance.produced, balance)}\n`
  })
  return `Dry run: nothing was delivered. It would come to:\n${read.join('')}${written.join('')}Add --plan HASH to do this and nothing else.\n`
}
