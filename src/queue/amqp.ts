/**
 * The bell on RabbitMQ: a durable quorum queue, beside it one of dead letters, which takes what is no bell. One connection
 * rings and another answers: the broker holds back a connection that sends when it runs out of memory or disk, and bells
 * must still be taken then.
 */
import type { Queue } from '../ports.ts'
import { addressOf } from './amqp/address.ts'
import { refused } from './amqp/errors.ts'
import { type HandOptions, startHand } from './amqp/hand.ts'
import { connect, connectMs, type Link } from './amqp/link.ts'
import { probe } from './amqp/probe.ts'
import { createRinger } from './amqp/ringer.ts'
import { createHands } from './hands.ts'

/**
 * @param url `amqp://` or `amqps://`.
 * @throws {AppError} invalid (the URL, or what the broker thinks of it) or unavailable (no broker), naming ROWMILL_QUEUE_URL.
 */
export async function openAmqpQueue(url: string, options: HandOptions): Promise<Queue> {
  const address = addressOf(url)
  await probe(address, connectMs).catch((error: unknown) => {
    throw refused(error)
  })
  await using stack = new AsyncDisposableStack()
  const ringing = stack.use(connect(address, 'rings', options.log))
  try {
    await ringing.opened
    const channel = await ringing.channel()
    await channel.close()
  } catch (error) {
    throw refused(error)
  }
  const ringer = createRinger(ringing, address)
  /** Only a process with workers has it. */
  let answering: Link | undefined
  const hands = createHands()
  const opened = stack.move()

  return {
    ...ringer,
    async ping() {
      await ringer.waiting()
    },
    answer(handler) {
      answering ??= opened.use(connect(address, 'answers', options.log))
      return hands.add(startHand(answering, address, handler, options))
    },
    async [Symbol.asyncDispose]() {
      await hands[Symbol.asyncDispose]()
      await opened.disposeAsync()
    },
  }
}
