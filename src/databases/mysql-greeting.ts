/** How a session with MySQL or MariaDB begins, and what is said of a server that does not begin one. */
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'mysql2/promise'
import { AppError, type ErrorCode } from '../errors.ts'
import type { Named } from './unreachable.ts'

/** @param url with `?tls=require` where nothing may go unencrypted, and to nobody but the host that it names. */
export function connectionOptions(url: string, socket: Socket): ConnectionOptions {
  const uri = new URL(url)
  const tls = uri.searchParams.get('tls')
  uri.searchParams.delete('tls')
  return {
    uri: uri.href,
    charset: 'utf8mb4_bin',
    disableEval: true,
    ...(tls === 'require' && { ssl: { rejectUnauthorized: true, verifyIdentity: true } }),
    stream: ({ config: { host = 'localhost', port = 3306 } }: { config: ConnectionOptions }) =>
      socket.setKeepAlive(true).setNoDelay(true).connect(port, host),
  }
}

/** A server of MySQL's speaks first, and what it says begins so: a packet's length and number, and the protocol or an error. */
const greetings: ReadonlySet<number> = new Set([10, 255])

/** @throws {AppError} what `call` throws, or else what answers in its place. */
export async function greeted<T>(server: Named, socket: Socket, call: () => Promise<T>): Promise<T> {
  let state: 'away' | 'silent' | 'MySQL' | 'other' = 'away'
  socket.once('connect', () => (state = 'silent'))
  socket.once('data', (bytes: Buffer) => (state = greetings.has(bytes[4] ?? 0) ? 'MySQL' : 'other'))
  try {
    return await call()
  } catch (error) {
    const { code, what } = strangersOf(server.url)[state] ?? {}
    if (code === undefined) throw error
    throw new AppError(code, `${server.name}: ${what}.`, { cause: error })
  }
}

const strangersOf = (
  url: string,
): Readonly<Record<string, { readonly code: ErrorCode; readonly what: string } | undefined>> => ({
  silent: {
    code: 'unavailable',
    what: `it takes the connection and says nothing; look whether it is well, and whether ${url} names its host and port`,
  },
  other: {
    code: 'unprocessable',
    what: `what answers there speaks another language than MySQL; correct host and port in ${url}`,
  },
})
