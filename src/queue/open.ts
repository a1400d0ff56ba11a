/** The queue that a URL names. A vendor's library is loaded when there is a queue of its. */
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Log } from '../log.ts'
import type { Catalog, Queue } from '../ports.ts'
import { openLocalQueue } from './local.ts'

export interface QueueOptions {
  /** How long a hand pauses when it could not claim a task; and how often the local queue looks for due ones. */
  readonly pollMs: number
  readonly log: Log
  readonly fail?: Fail
}

/**
 * @param url as ROWMILL_QUEUE_URL gives it: `local`, `amqp://…`, `amqps://…`, `sqs://…`; undefined for the local one.
 * @throws {AppError} invalid (the URL, or what a broker thinks of it) or unavailable (no broker), naming ROWMILL_QUEUE_URL.
 */
export async function openQueue(
  url: string | undefined,
  catalog: Pick<Catalog, 'dueTasks'>,
  options: QueueOptions,
): Promise<Queue> {
  if (url === undefined || url === 'local') return openLocalQueue(catalog, options)
  if (/^amqps?:/.test(url)) return await (await import('./amqp.ts')).openAmqpQueue(url, options)
  if (url.startsWith('sqs:')) return await (await import('./sqs.ts')).openSqsQueue(url, options)
  throw new AppError(
    'invalid',
    'ROWMILL_QUEUE_URL names no kind of queue that there is. Use local, amqp://, amqps:// or sqs://.',
  )
}
