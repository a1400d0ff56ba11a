/** What PostgreSQL says, as our errors: by its SQLSTATE (PostgreSQL's documentation, Appendix A). */
import pg from 'pg'
import { AppError, type ErrorCode } from '../../errors.ts'
import { unreachable } from '../unreachable.ts'

/** The longest prefix of the SQLSTATE decides. */
const states: Readonly<Record<string, readonly [code: ErrorCode, what: string]>> = {
  '08': ['unavailable', 'the connection broke off'],
  '57P0': ['unavailable', 'the session was ended, or the server is starting or stopping'],
  '53': ['unavailable', 'it is short of memory or connections'],
  '53100': ['full', 'its disk is full; free some space there'],
  '40': ['unavailable', 'another session was in the way'],
  '55P03': ['unavailable', 'another session holds the table'],
  '25006': ['unavailable', 'it takes no writes at present: it is read-only'],
  '28': ['unprocessable', 'it refuses the login; correct user and password in the URL of the sink'],
  '3D000': ['unprocessable', 'there is no such database; correct the URL of the sink'],
  '42501': ['unprocessable', 'the user may not do this; grant it'],
  '22': ['unprocessable', 'it refuses a value'],
  '23': ['unprocessable', 'it refuses a row'],
  '42': ['unprocessable', 'it refuses the statement'],
  '3F': ['unprocessable', 'there is no such schema'],
  '0A': ['unprocessable', 'it cannot do this'],
  '21': ['unprocessable', 'a key comes twice'],
  '2B': ['unprocessable', 'something depends on it'],
  '42P07': ['unavailable', 'another session has made the table'],
  '42701': ['unavailable', 'another session has added the column'],
  '57014': ['unavailable', 'the statement was cancelled'],
  '54': ['unprocessable', 'it is too much for it'],
  P0: ['unprocessable', 'a trigger or function of the table refuses'],
}

/** @param sink its name; nothing of its URL is ever told. */
export function translated(sink: string, error: unknown): unknown {
  if (error instanceof AppError) return error
  const refuse = (code: ErrorCode, what: string, details?: Record<string, unknown>) =>
    new AppError(code, `The database ${sink} (PostgreSQL): ${what}.`, { cause: error, ...(details && { details }) })
  if (error instanceof pg.DatabaseError) {
    const { code: state = '', message, detail, constraint, column, where } = error
    const prefix = Object.keys(states)
      .filter((one) => state.startsWith(one))
      .toSorted((a, b) => b.length - a.length)[0]
    const known = prefix === undefined ? undefined : states[prefix]
    // Another session makes a table of the same name.
    if (constraint === 'pg_type_typname_nsp_index' || constraint === 'pg_class_relname_nsp_index') {
      return refuse('unavailable', 'another session makes the same table')
    }
    const [code, what] = known ?? (['unprocessable', 'it refuses the statement'] as const)
    const place = code === 'unprocessable' && where !== undefined ? ` (${where.split('\n')[0]})` : ''
    const more = [message, detail].filter((text) => text !== undefined).join(': ')
    return refuse(code, `${what}: ${more}${place}`, {
      sqlState: state,
      ...(constraint && { constraint }),
      ...(column && { column }),
    })
  }
  const away = unreachable(error)
  if (away !== undefined) return refuse(...away)
  // What pg says itself has no code.
  if (
    error instanceof Error &&
    /Connection terminated|timeout expired|Client (was closed|has encountered)/.test(error.message)
  ) {
    return refuse('unavailable', 'the connection broke off')
  }
  return error
}
