/** What RabbitMQ and its client say, as our errors: by the reply codes of AMQP 0-9-1, and by those of the client. */
import { AMQPConnectionError } from 'rabbitmq-client'
import { AppError, type ErrorCode, errnoOf } from '../../errors.ts'
import { bells } from '../patience.ts'

type Meaning = readonly [code: ErrorCode, what: string]

const noBroker: Meaning = [
  'unavailable',
  'what answers there is no AMQP broker, or one that takes only TLS, or that is just stopping; look at host and port, and whether it is to be amqps://',
]

/** Of what ends a connection, or lets none come about. */
const connections: Readonly<Record<string, Meaning>> = {
  ACCESS_REFUSED: ['invalid', 'the broker refuses the login; correct user and password'],
  NOT_ALLOWED: [
    'invalid',
    'there is no such virtual host, or the user may not use it; create it there, or correct the path',
  ],
  CONNECTION_TIMEOUT: ['unavailable', 'nothing answers there; look whether the broker runs, and at host and port'],
  VERSION_MISMATCH: ['invalid', 'the broker there does not speak AMQP 0-9-1'],
  CONN_CLOSE: noBroker,
  CODEC: noBroker,
  FRAME_ERROR: noBroker,
  COMMAND_INVALID: noBroker,
  UNEXPECTED_FRAME: noBroker,
  ENOTFOUND: ['invalid', 'there is no such host; correct it'],
}

/** Of what the broker says about the queue. */
const channels: Readonly<Record<string, Meaning>> = {
  ACCESS_REFUSED: [
    'invalid',
    'the user may not use the queue; grant configure, write and read, on NAME.dead and amq.default as well',
  ],
  PRECONDITION_FAILED: [
    'invalid',
    'the broker has a queue of that name, or NAME.dead, that was made in another way; delete it there, or name another with ?queue=NAME',
  ],
  RESOURCE_LOCKED: ['invalid', 'the queue is another connection’s alone; name another with ?queue=NAME'],
  NOT_FOUND: ['unavailable', 'the queue is not there, or the node that has it is down'],
}

const unreachable = /^E(CONN|HOST|NET|TIMEDOUT|PIPE|AI_AGAIN)/

/** At the start: what is to be put right. Nothing of the URL is ever told. */
export function refused(error: unknown, setting = bells): AppError {
  const [code, what] = meaningOf(error)
  return new AppError(code, `${setting}: ${what}.`, { cause: error })
}

/** Later: the same, but it may pass. */
export function away(error: unknown, setting = bells): AppError {
  if (error instanceof AppError) return error
  const [, what] = meaningOf(error)
  return new AppError('unavailable', `The queue is away: ${what} (${setting}). Try again.`, { cause: error })
}

export function disconnected(setting = bells): AppError {
  return new AppError('unavailable', `The queue is away: there is no connection to the broker (${setting}). Try again.`)
}

function meaningOf(error: unknown): Meaning {
  const code = errnoOf(error) ?? ''
  const known = (isOfQueue(error) ? channels : connections)[code]
  if (known !== undefined) return known
  if (unreachable.test(code)) {
    return ['unavailable', `the broker cannot be reached (${code}); look whether it runs, and at host and port`]
  }
  if (/SSL|EPROTO/.test(code))
    return ['invalid', 'what answers there does not speak TLS as it should; correct the port, or write amqp://']
  if (/CERT|ALTNAME|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return ['invalid', `its certificate is not to be trusted (${code}); name its authority in NODE_EXTRA_CA_CERTS`]
  }
  return ['unavailable', 'the broker does not do what was asked of it']
}

/** The client tells by the class what has ended: a connection's error is a special one of a channel. */
function isOfQueue(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    !(error instanceof AMQPConnectionError) &&
    error.name.startsWith('AMQP')
  )
}
