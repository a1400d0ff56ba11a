/** How much has been handed over, of what goes over side by side or one thing after another. */
import type { Meter } from '../progress.ts'

/** For one stretch of it: to be told how many of its bytes are over; fewer than before, where it begins again. */
export type OnBytes = (done: number) => void

/** @returns makes a stretch; `onSum` is told of what all of them come to. */
export function stretches(onSum: OnBytes): () => OnBytes {
  let sum = 0
  return () => {
    let before = 0
    return (done) => {
      sum += done - before
      before = done
      onSum(sum)
    }
  }
}

/** @param total null where nobody knows. */
export function shownStretches(meter: Meter, label: string, total: number | null): () => OnBytes {
  return stretches((done) => meter.show(label, { unit: 'bytes', done, total }))
}
