/** What SQLite says, as our errors: by its primary result code (https://www.sqlite.org/rescode.html). */
import { AppError, type ErrorCode } from '../../errors.ts'
import { Busy } from '../file/database.ts'

const results: Readonly<Record<number, readonly [code: ErrorCode, what: string]>> = {
  1: ['unprocessable', 'it refuses the statement'],
  3: ['unprocessable', 'its file or folder may not be written to; let Rowmill write there'],
  7: ['unavailable', 'it is short of memory'],
  8: ['unprocessable', 'its file or folder may not be written to; let Rowmill write there'],
  10: ['unavailable', 'its file cannot be read or written'],
  11: ['unprocessable', 'its file is damaged; restore it'],
  13: ['full', 'its disk is full; free some space'],
  14: ['unprocessable', 'its file cannot be opened; let Rowmill write there and to its folder'],
  18: ['unprocessable', 'it refuses a value'],
  19: ['unprocessable', 'it refuses a row'],
  20: ['unprocessable', 'it refuses a value'],
  23: ['unprocessable', 'it may not do this'],
  26: ['unprocessable', 'its file is no SQLite database; correct the URL of the sink'],
}

const busy: ReadonlySet<number> = new Set([5, 6])

/** Of these the message says what is refused, and nothing of the file. */
const saying: ReadonlySet<number> = new Set([1, 18, 19, 20])

/** @param sink its name; nothing of its path is ever told. */
export function translated(sink: string, error: unknown): unknown {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return error
  const result = error.errcode & 0xff
  if (busy.has(result)) return new Busy(error)
  const [code, what] = results[result] ?? []
  if (code === undefined) return error
  const more = saying.has(result) ? `: ${error.message}` : ''
  return new AppError(code, `The database ${sink} (SQLite): ${what}${more}.`, { cause: error })
}
