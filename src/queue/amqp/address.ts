/** `amqp://user:password@host:port/vhost?queue=name`: where the broker is, and how its queues are called. */
import { AppError } from '../../errors.ts'
import { bells } from '../patience.ts'

export interface Address {
  readonly isTls: boolean
  readonly hostname: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly queue: string
  /** Where messages go that nobody can read. */
  readonly dead: string
}

/** The setting that has the URL, and the queue's name where that has none; empty where it must have one. */
export interface Names {
  readonly setting: string
  readonly usual: string
}

const usualNames: Names = { setting: bells, usual: 'rowmill' }

/**
 * What is left out is as RabbitMQ's URI specification has it; an empty path is the virtual host `/`, as all clients take it.
 * @throws {AppError} invalid
 */
export function addressOf(url: string, { setting, usual } = usualNames): Address {
  try {
    const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url)
    const isTls = protocol === 'amqps:'
    const queue = searchParams.get('queue') ?? usual
    if (hostname === '' || queue === '' || [...searchParams.keys()].some((name) => name !== 'queue'))
      throw malformed(setting)
    return {
      isTls,
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? (isTls ? 5671 : 5672) : Number(port),
      username: username === '' ? 'guest' : decodeURIComponent(username),
      password: username === '' ? 'guest' : decodeURIComponent(password),
      vhost: decodeURIComponent(pathname.slice(1)) || '/',
      queue,
      dead: `${queue}.dead`,
    }
  } catch (error) {
    throw error instanceof AppError ? error : malformed(setting)
  }
}

/** Without a cause, which would quote the password. */
function malformed(setting: string): AppError {
  return new AppError(
    'invalid',
    `${setting} is not the URL of a queue. Write amqp://USER:PASSWORD@HOST:5672/VHOST?queue=NAME, or amqps:// for TLS, with %XX for what has a meaning in URLs.`,
  )
}
