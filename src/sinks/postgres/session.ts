/**
 * Sessions of a PostgreSQL server. A session is named after its task and attempt, by which a later attempt finds it and
 * ends it.
 */
import { Socket } from 'node:net'
import pg from 'pg'
import type { DeliveryId } from '../../ports.ts'
import { translated, translatedConnecting } from '../../databases/postgres.ts'
import type { Named } from '../../databases/unreachable.ts'
import { cutBy } from '../tables.ts'

export interface Session extends AsyncDisposable {
  readonly client: pg.Client
  /** Ends it at once, whether the server answers or not. */
  readonly cut: () => void
  /** Runs a call with PostgreSQL's errors translated. */
  told<T>(call: () => Promise<T>): Promise<T>
}

/** How the sessions of an attempt are called. Names are cut at 63 bytes. */
export function sessionName({ task, output }: DeliveryId, attempt: number): string {
  return `rowmill ${task} ${attempt} ${output}`.slice(0, 63)
}

/** Whatever the server's own are: values come in these forms, and what is committed is on the disk. */
const sessionSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  synchronous_commit: 'on',
  default_transaction_isolation: 'read\\ committed',
  lock_timeout: '30s',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
} as const

/**
 * @param sink its name, for messages.
 * @param signal ends the attempt to connect; what comes after is the caller's.
 */
export async function connect(sink: string, url: string, name: string, signal?: AbortSignal): Promise<Session> {
  const socket = new Socket()
  const server = { name: `The database ${sink} (PostgreSQL)`, url: 'the URL of the sink' }
  const client = newClient(server, url, name, socket)
  // A session that is ended while nobody waits for it is told by the next call.
  client.on('error', () => {})
  const told = async <T>(call: () => Promise<T>) => {
    try {
      return await call()
    } catch (error) {
      throw translated(server, error)
    }
  }
  const cut = () => void socket.destroy()
  try {
    await (signal === undefined ? client.connect() : cutBy(signal, cut, () => client.connect()))
  } catch (error) {
    cut()
    signal?.throwIfAborted()
    throw translatedConnecting(server, error)
  }
  return {
    client,
    cut,
    told,
    // Ending the session rolls back whatever it has not committed.
    async [Symbol.asyncDispose]() {
      const late = setTimeout(cut, 5000)
      await client.end().catch(() => undefined)
      clearTimeout(late)
    },
  }
}

function newClient(server: Named, url: string, name: string, socket: Socket): pg.Client {
  try {
    return new pg.Client({
      connectionString: url,
      stream: () => socket,
      application_name: name,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      // A server that has gone without a word is missed after some minutes, and not after hours.
      keepAliveInitialDelayMillis: 30_000,
      options: Object.entries(sessionSettings)
        .map(([setting, value]) => `-c ${setting}=${value}`)
        .join(' '),
    })
  } catch (error) {
    // A file with certificates is read at once.
    throw translatedConnecting(server, error)
  }
}
