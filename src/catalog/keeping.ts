import type { Keeping } from '../entries.ts'

const day = 86_400_000

/** What is promised where nobody has set anything else. */
export const usualKeeping: Keeping = {
  incompleteMs: day,
  filesMs: 7 * day,
  receiptsMs: day,
  quota: Number.POSITIVE_INFINITY,
  ownerQuota: Number.POSITIVE_INFINITY,
}
