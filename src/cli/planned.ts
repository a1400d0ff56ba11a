import type { Plan } from '../model.ts'
import { inLine } from './harmless.ts'
import { quantity } from './progress.ts'

/** What a dry run has found out, for people; the hash goes to stdout, for `--plan`. */
export function planText({ inputs, outputs }: Omit<Plan, 'hash'>): string {
  const read = Object.entries(inputs).map(([input, { records, accepted, rejected }]) => {
    return `${inLine(input)}: ${records.toLocaleString('en')} records (${accepted.toLocaleString('en')} accepted, ${rejected.toLocaleString('en')} rejected)\n`
  })
  const written = Object.entries(outputs).map(([output, { produced, inserted, updated, unchanged }]) => {
    const counts = Object.entries({ inserted, updated, unchanged }).filter(([, count]) => count > 0)
    const told = counts.map(([word, count]) => `${count.toLocaleString('en')} ${word}`).join(', ')
    return `${inLine(output)}: ${quantity(produced, 'rows')}${told === '' ? '' : ` (${told})`}\n`
  })
  return `Dry run: nothing was delivered. It would come to:\n${read.join('')}${written.join('')}Add --plan HASH to do this and nothing else.\n`
}
