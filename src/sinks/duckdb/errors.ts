/** What DuckDB says, as our errors: by the words that its messages begin with, since it has no codes. */
import { AppError, type ErrorCode } from '../../errors.ts'
import { Busy } from '../file/database.ts'

/** The first that matches decides. */
const messages: readonly (readonly [pattern: RegExp, code: ErrorCode, what: string])[] = [
  [/No space left on device|Disk quota exceeded|max_temp_directory_size/i, 'full', 'its disk is full; free some space'],
  [/^Out of Memory/i, 'unprocessable', 'it needs more memory than it may have'],
  [
    /Permission denied|Read-only file system|Operation not permitted|read-only mode/i,
    'unprocessable',
    'its file or folder may not be written to; let Rowmill write there',
  ],
  [
    /not a valid DuckDB database|sqlite|Trying to read a database file with version|Serialization Error/i,
    'unprocessable',
    'its file is no DuckDB database, or one of a later version; correct the URL of the sink',
  ],
  [/^IO Error/, 'unavailable', 'its file cannot be read or written'],
  [/^(Constraint Error|TransactionContext Error: .*constraint)/, 'unprocessable', 'it refuses a row'],
  [/^(Conversion|Out of Range|Invalid Input|Mismatch Type) Error/, 'unprocessable', 'it refuses a value'],
  [
    /^(Catalog|Binder|Parser|Not implemented|Dependency|Permission|Missing Extension) Error/,
    'unprocessable',
    'it refuses the statement',
  ],
]

/** @param sink its name; nothing of its path is ever told. */
export function translated(sink: string, error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error)
  if (/Could not set lock on file/.test(message)) {
    const [, pid] = /\(PID (\d+)\)/.exec(message) ?? []
    return new Busy(error, pid === undefined ? undefined : Number(pid))
  }
  const [, code, what] = messages.find(([pattern]) => pattern.test(message)) ?? []
  if (code === undefined) return error
  // What follows the first line quotes our SQL.
  const more = /^(IO Error|Out of Memory)/i.test(message) ? '' : `: ${message.split('\n')[0]}`
  return new AppError(code, `The database ${sink} (DuckDB): ${what}${more}.`.replace(/([.!?])[.]$/, '$1'), {
    cause: error,
  })
}
