/** What MySQL and MariaDB say, as our errors: by the number of the error, else by the class of its SQLSTATE. */
import { AppError, errnoOf } from '../errors.ts'
import { againIf, type Meaning, type Named, unreachable } from './unreachable.ts'

const busy: Meaning = ['unavailable', 'it is short of memory or connections']
const ended: Meaning = ['unavailable', 'the session was ended, or the server starts or stops']
const inTheWay: Meaning = ['unavailable', 'another session was in the way']
const readOnly: Meaning = ['unavailable', 'it takes no writes at present: it is read-only']
const full: Meaning = ['full', 'its disk is full; free some space there']
const forbidden: Meaning = ['unprocessable', 'the user may not do this; grant it']
const noLocalInfile: Meaning = [
  'unprocessable',
  'it takes no rows from its clients; set local_infile = ON there (SET GLOBAL local_infile = ON)',
]

const trust = 'let NODE_EXTRA_CA_CERTS name a file with the certificate of who has signed it'

const noLogin = (url: string): Meaning => ['unprocessable', `it refuses the login; correct user and password in ${url}`]

/** MySQL's Server Error Message Reference, and MariaDB's Error Codes. */
const numbersOf = (url: string): Readonly<Record<number, Meaning>> => ({
  1020: inTheWay,
  1021: full,
  1037: busy,
  1038: busy,
  1040: busy,
  1041: busy,
  1044: ['unprocessable', `the user may not use this database, or there is none; grant it, or correct ${url}`],
  1045: noLogin(url),
  1049: ['unprocessable', `there is no such database; create it, or correct ${url}`],
  1050: ['unavailable', 'another session has just made the table'],
  1053: ended,
  1095: inTheWay,
  1114: full,
  1135: busy,
  1142: forbidden,
  1143: forbidden,
  1148: noLocalInfile,
  1203: busy,
  1205: inTheWay,
  1206: inTheWay,
  1213: inTheWay,
  1226: busy,
  1227: forbidden,
  1290: readOnly,
  1317: ended,
  1412: inTheWay,
  1637: busy,
  1698: noLogin(url),
  1792: readOnly,
  1836: readOnly,
  1927: ended,
  1969: ended,
  3024: ended,
  3169: ended,
  3675: full,
  3948: noLocalInfile,
  4031: ended,
  4166: noLocalInfile,
})

const cut: Meaning = ['unavailable', 'the connection broke off']

const classesOf = (url: string): Readonly<Record<string, Meaning>> => ({
  '08': cut,
  '22': ['unprocessable', 'it refuses a value'],
  '23': ['unprocessable', 'it refuses a row'],
  '28': noLogin(url),
  '40': inTheWay,
  '45': ['unprocessable', 'a trigger of the table refuses'],
})

/**
 * What a call to the server has thrown, as an AppError, with `details.errno` where the server has said it itself.
 * @param plain what is to be said instead of what the server says.
 */
export function translated(server: Named, error: unknown, plain: (text: string) => string = (text) => text): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const refuse = ([code, what]: Meaning, details?: Record<string, unknown>) =>
    new AppError(code, `${server.name}: ${what}.${againIf(code)}`, {
      cause: error,
      ...(details && { details }),
    })
  if (isOfServer(error)) {
    const { errno, sqlState = '', sqlMessage } = error
    const isFull = /\b(errno|Errcode|Got error): ?28\b|\berror 28\b/i.test(sqlMessage)
    const [code, what] = isFull
      ? full
      : (numbersOf(server.url)[errno] ??
        classesOf(server.url)[sqlState.slice(0, 2)] ?? ['unprocessable', 'it refuses the statement'])
    // The message names the user and the host of a login that is refused.
    const more = what === noLogin(server.url)[1] ? '' : `: ${plain(sqlMessage)}`
    return refuse([code, what + more], { errno, sqlState })
  }
  const away = unreachable(error, server)
  if (away !== undefined) return refuse(away)
  const errno = errnoOf(error) ?? ''
  if (errno === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return refuse(['unprocessable', `it has no TLS, which “?tls=require” in ${server.url} asks for; turn it on there`])
  }
  if (errno === 'HANDSHAKE_SSL_ERROR') {
    // What follows may name the host.
    const [why] = error.message.split(/[:;]/)
    return refuse(['unprocessable', `TLS cannot begin, since its certificate is not trusted (${why}); ${trust}`])
  }
  if (/^(AUTH|HANDSHAKE)_/.test(errno)) return refuse(['unprocessable', `no session can begin (${error.message})`])
  // The driver has no code for a connection that is closed already.
  if (errno.startsWith('PROTOCOL_') || /in closed state/.test(error.message)) return refuse(cut)
  return error
}

interface ServerError extends Error {
  readonly errno: number
  readonly sqlState?: string
  readonly sqlMessage: string
}

function isOfServer(error: Error): error is ServerError {
  return 'sqlMessage' in error && 'errno' in error && typeof error.errno === 'number'
}
