/** Reads a list of rejects back. */
import type { Readable } from 'node:stream'
import { standardDialect } from './dialect.ts'
import { Machine } from './machine.ts'

/** What a list says about a reject, but for its place in the bytes and the record itself. */
export interface ListedReject {
  readonly input: string
  readonly line: number
  /** Null when the fault is the whole record's. */
  readonly column: string | null
  readonly code: string
  readonly message: string
}

/** All of a list in the columns of `rejectColumns`, or the first few. */
export async function readRejects(csv: Readable, first = Number.POSITIVE_INFINITY): Promise<ListedReject[]> {
  const rejects: ListedReject[] = []
  let isHeader = true
  for await (const [input = '', line, , , column = '', code = '', message = ''] of recordsOf(csv)) {
    if (!isHeader) rejects.push({ input, line: Number(line), column: column === '' ? null : column, code, message })
    isHeader = false
    if (rejects.length >= first) break
  }
  return rejects
}

/** The records of CSV that is known to be sound, and to end with a line end. */
async function* recordsOf(csv: AsyncIterable<Buffer | string>): AsyncGenerator<string[]> {
  const machine = new Machine(standardDialect)
  let bytes = Buffer.alloc(0)
  for await (const part of csv) {
    bytes = Buffer.concat([bytes, Buffer.from(part)])
    let at = 0
    while (machine.next(bytes, at, bytes.length, false) === 'record') {
      yield machine.cells(bytes)
      at = machine.end
    }
    bytes = bytes.subarray(at)
  }
}
