/** The messages in the queue of somebody else that a URL names. */
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Consumer, Handle } from '../ports.ts'

export interface ConsumerOptions {
  /** The one that has the URL. */
  readonly setting: string
  /** So many messages are seen to at once. */
  readonly hands: number
  /** For so long a message is kept back, and again as long as it is seen to, where the broker asks for a time. */
  readonly holdMs: number
  readonly log: Log
}

/**
 * Sees to all messages of a queue, which must be there; beside it one of dead letters is made.
 * @param url `amqp://…`, `amqps://…`, `sqs://…`.
 * @throws {AppError} invalid (the URL, or what a broker thinks of it) or unavailable (no broker), naming the setting.
 */
export async function openConsumer(url: string, handle: Handle, options: ConsumerOptions): Promise<Consumer> {
  if (/^amqps?:/.test(url)) return await (await import('./amqp/consumer.ts')).openAmqpConsumer(url, handle, options)
  if (url.startsWith('sqs:')) return await (await import('./sqs/consumer.ts')).openSqsConsumer(url, handle, options)
  throw new AppError(
    'invalid',
    `${options.setting} names no kind of queue that there is. Use amqp://, amqps:// or sqs://.`,
  )
}

export function noQueue(setting: string, cause: unknown): AppError {
  return new AppError(
    'invalid',
    `${setting}: there is no such queue; make it, and have notifications sent there, or correct its name.`,
    { cause },
  )
}
