import type { RejectCode } from '../codes.ts'

/** Where a record stands. */
export interface Place {
  /** Physical, 1-based. */
  readonly line: number
  /** 0-based, in the text. */
  readonly byteOffset: number
  /** Of the record without its line end. */
  readonly byteLength: number
  /** 1-based, the header not counted. */
  readonly record: number
}

/** Why a record cannot be taken as it stands. Told to whoever reads, it becomes a reject. */
export interface Fault extends Place {
  readonly column: string | null
  readonly code: RejectCode
  readonly message: string
  /** The cells in the file's order, null for nothing; null where the record could not be split, or is no text. */
  readonly cells: readonly (string | null)[] | null
}

/** The columns of every list of rejects. */
export const rejectColumns = ['input', 'line', 'byte_offset', 'record', 'column', 'code', 'message', 'raw'] as const
