/** What PostgreSQL says, as our errors: by its SQLSTATE (PostgreSQL's documentation, Appendix A). */
import pg from 'pg'
import { AppError, type ErrorCode, errnoOf } from '../errors.ts'
import { againIf, type Meaning, type Named, unreachable } from './unreachable.ts'

/** The longest prefix of the SQLSTATE decides. */
const statesOf = (url: string): Readonly<Record<string, Meaning>> => ({
  '08': ['unavailable', 'the connection broke off'],
  '57P0': ['unavailable', 'the session was ended, or the server starts or stops'],
  '53': ['unavailable', 'it is short of memory or connections'],
  '53100': ['full', 'its disk is full; free some space there'],
  '40': ['unavailable', 'another session was in the way'],
  '55P03': ['unavailable', 'another session holds the table'],
  '25006': ['unavailable', 'it takes no writes at present: it is read-only'],
  '28': ['unprocessable', `it refuses the login; correct user and password in ${url}`],
  '28000': [
    'unprocessable',
    `it does not let this user in, or not from here, or not without TLS; correct ${url}, or its pg_hba.conf`,
  ],
  '3D000': ['unprocessable', `there is no such database; correct ${url}`],
  '42501': ['unprocessable', 'the user may not do this; grant it'],
  '22': ['unprocessable', 'it refuses a value'],
  '23': ['unprocessable', 'it refuses a row'],
  '42': ['unprocessable', 'it refuses the statement'],
  '3F': ['unprocessable', 'there is no such schema; create it, or correct the name of the table'],
  '0A': ['unprocessable', 'it cannot do this'],
  '21': ['unprocessable', 'a key comes twice'],
  '2B': ['unprocessable', 'something depends on it'],
  '42P07': ['unavailable', 'another session has made the table'],
  '42710': ['unavailable', 'there is a type of the same name, or another session makes the table just now'],
  '42701': ['unavailable', 'another session has added the column'],
  '57014': ['unavailable', 'the statement was cancelled'],
  '54': ['unprocessable', 'it is too much for it'],
  P0: ['unprocessable', 'a trigger or function of the table refuses'],
})

/** What a call to the server has thrown, as an AppError, with `details.sqlState` where the server has said it itself. */
export function translated(server: Named, error: unknown): unknown {
  if (error instanceof AppError) return error
  const refuse = (code: ErrorCode, what: string, details?: Record<string, unknown>) =>
    new AppError(code, `${server.name}: ${what}.${againIf(code)}`, {
      cause: error,
      ...(details && { details }),
    })
  if (error instanceof pg.DatabaseError) {
    const { code: state = '', message, detail, constraint, column, where } = error
    const states = statesOf(server.url)
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
    // What is said of a login names the user and the database.
    const told = /^(28|3D)/.test(state) ? [what] : [what, message, detail]
    return refuse(code, told.filter((text) => text !== undefined).join(': ') + place, {
      sqlState: state,
      ...(constraint && { constraint }),
      ...(column && { column }),
    })
  }
  const away = unreachable(error, server) ?? (error instanceof Error ? ofDriver(error) : undefined)
  return away === undefined ? error : refuse(...away)
}

/** What pg says itself has no code. */
function ofDriver({ message }: Error): Meaning | undefined {
  if (/^timeout (expired|exceeded)|^Query read timeout/.test(message)) return ['unavailable', 'it does not answer']
  if (!/Connection terminated|Client (was closed|has encountered)/.test(message)) return undefined
  return ['unavailable', 'the connection broke off']
}

/** What stands in the way of a session, by what pg says; the last of them where something says what nobody understands. */
const noSessionsOf = (url: string): readonly (readonly [message: RegExp, what: string])[] => [
  [/does not support SSL/, `it takes no connections with TLS; set that up there, or leave sslmode out of ${url}`],
  [/establishing an SSL/, `what answers is no PostgreSQL server; correct host and port in ${url}`],
  [/password must be/, `it wants a password; write it in ${url}`],
  [
    /SASL|authentication/i,
    'it wants a login of a kind that is not known here; let the user log in with a password (scram-sha-256)',
  ],
  [/ENOENT|EACCES|EISDIR/, `a file that its URL names for TLS cannot be read; correct ${url}`],
  [
    /certificate|altname|self.signed/i,
    `its certificate is not to be trusted; correct sslmode or sslrootcert in ${url}`,
  ],
  [/./s, `what answers is no PostgreSQL server, or its TLS is not to be understood; correct ${url}`],
]

/** The same for a session that does not come about: whatever went wrong, it is the server's or the URL's. */
export function translatedConnecting(server: Named, error: unknown): unknown {
  const known = translated(server, error)
  if (error instanceof Error && /Connection terminated/.test(error.message)) {
    const what = `it ends the connection at once; look whether it is well, and whether ${server.url} names its host and port`
    return new AppError('unavailable', `${server.name}: ${what}.`, { cause: error })
  }
  if (known instanceof AppError || !(known instanceof Error)) return known
  const said = `${errnoOf(known) ?? ''} ${known.message}`
  const what = noSessionsOf(server.url).find(([message]) => message.test(said))?.[1] ?? ''
  return new AppError('unprocessable', `${server.name}: ${what}.`, { cause: error })
}
