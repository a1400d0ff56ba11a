import type { RejectCode } from '../model.ts'

/** A record that cannot be taken as it stands. */
export interface Fault {
  /** Physical, 1-based. */
  readonly line: number
  /** 0-based, in the text. */
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
