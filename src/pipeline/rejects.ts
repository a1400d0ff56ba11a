import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'

export interface RejectLine {
  readonly input: string
  readonly line: number
  /** Null when the fault is the whole record's. */
  readonly column: string | null
  readonly code: string
  readonly message: string
}

/** Reads back what a run wrote down about its rejects, all or the first few. */
export async function readRejects(csv: Readable, first?: number): Promise<RejectLine[]> {
  const records: AsyncIterable<Record<keyof RejectLine, string>> = csv.compose(parse({ columns: true }))
  const rejects: RejectLine[] = []
  for await (const { input, line, column, code, message } of records) {
    rejects.push({ input, line: Number(line), column: column === '' ? null : column, code, message })
    if (rejects.length === first) break
  }
  return rejects
}
