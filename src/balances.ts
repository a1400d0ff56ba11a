/**
 * What has become of records and rows, as sums that must come out: per input, records = accepted + rejected; per output,
 * produced = inserted + updated + unchanged + skipped. Pure.
 */
import { AppError } from './errors.ts'

/** Counted in records of the file; blank lines apart, since they are none. */
export interface InputBalance {
  readonly records: number
  readonly accepted: number
  readonly rejected: number
  readonly blankLines: number
}

export interface OutputBalance {
  readonly produced: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly skipped: number
}

export interface Balances {
  readonly inputs: Readonly<Record<string, InputBalance>>
  readonly outputs: Readonly<Record<string, OutputBalance>>
}

/** @throws {AppError} internal, when a sum does not come out: a task with such a balance must never succeed. */
export function checkBalances({ inputs, outputs }: Balances): void {
  for (const [name, b] of Object.entries(inputs)) {
    if (b.records !== b.accepted + b.rejected) {
      throw new AppError('internal', 'Internal error', { cause: unbalanced(`input ${name}`, b) })
    }
  }
  for (const [name, b] of Object.entries(outputs)) {
    if (b.produced !== b.inserted + b.updated + b.unchanged + b.skipped) {
      throw new AppError('internal', 'Internal error', { cause: unbalanced(`output ${name}`, b) })
    }
  }
}

/** What a task would come to: what it would do to tables as they are, and to nothing else. */
export interface Plan extends Balances {
  /** SHA-256, in hex, over the inputs, the pipeline's text, the params, the columns of the tables, and the counts. */
  readonly hash: string
}

/** What has become of the rows of an output that was undone. */
export interface Undone {
  /** Rows that were taken out. */
  readonly removed: number
  /** Rows that are again what they were before, or there again. */
  readonly restored: number
  /** Rows that were left as they are, since somebody else has changed them or taken them out. */
  readonly left: number
  /** The keys of those, where the table has a key: as many as `maxLeftKeys`. */
  readonly leftKeys: readonly Readonly<Record<string, string | null>>[]
}

export const maxLeftKeys = 1000

function unbalanced(what: string, balance: InputBalance | OutputBalance): Error {
  return new Error(`${what} does not balance: ${JSON.stringify(balance)}`)
}
