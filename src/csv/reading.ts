/** What reading a file takes and gives. */
import type { RejectCode, Warning } from '../model.ts'
import type { Facts } from './scan.ts'

/** A record that cannot be taken as it stands. */
export interface Fault {
  readonly line: number
  readonly byteOffset: number
  /** Of the record without its line end. */
  readonly byteLength: number
  /** 1-based, the header not counted. */
  readonly record: number
  readonly column: string | null
  readonly code: RejectCode
  readonly message: string
  /** The cells in the file's order, where the record could be split. */
  readonly cells: readonly string[] | null
}

export interface ReadOptions {
  /** What to call the file in messages. */
  readonly name: string
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number) => void
  /** Told in the order of the file. */
  readonly onFault: (fault: Fault, header: readonly string[]) => Promise<void>
}

export interface Reading {
  /** `plain`: the file itself, one record a line, no quoting. `flat`: see `flat.ts`. */
  readonly layout: 'plain' | 'flat'
  readonly path: string
  /** The header's cells as they stand, mark removed. */
  readonly header: readonly string[]
  readonly lineEnd: '\n' | '\r\n'
  /** Every record seen, the rejected ones included. */
  readonly records: number
  readonly rejected: number
  readonly blankLines: number
  /** Whether some cell of a flat copy is written with escapes. */
  readonly escaped: boolean
  /** No line of the file at `path` has more bytes. */
  readonly longest: number
  readonly facts: Facts
  readonly warnings: readonly Warning[]
}
