/** The bell on Amazon SQS: a standard queue, and beside it one of dead letters, which takes what is no bell. */
import type { Queue } from '../ports.ts'
import { writeBell } from './bell.ts'
import type { QueueOptions } from './open.ts'
import { createHands } from './hands.ts'
import { createPatience } from './patience.ts'
import { addressOf } from './sqs/address.ts'
import { away, refused } from './sqs/errors.ts'
import { startHand } from './sqs/hand.ts'
import { openMessages } from './sqs/messages.ts'

/** Milliseconds for SQS to say at the start that all is well. */
const openMs = 10_000

/**
 * Makes the queue, and that of the dead letters, where they are not there.
 * @param url `sqs://`.
 * @throws {AppError} invalid (the URL, or what SQS thinks of it) or unavailable (no SQS), naming ROWMILL_QUEUE_URL.
 */
export async function openSqsQueue(url: string, options: QueueOptions): Promise<Queue> {
  const messages = openMessages(addressOf(url))
  try {
    await createPatience(() => {}, { ms: openMs })(() => messages.count())
  } catch (error) {
    messages[Symbol.dispose]()
    throw refused(error)
  }
  const patiently = createPatience(() => {})
  const hands = createHands()

  async function bounded<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await patiently(ask)
    } catch (error) {
      throw away(error)
    }
  }

  return {
    ring: (task) => bounded(() => messages.send(writeBell(task))),
    waiting: () => bounded(() => messages.count()),
    async ping() {
      await bounded(() => messages.count())
    },
    answer: (handler) => hands.add(startHand(messages, handler, options)),
    async [Symbol.asyncDispose]() {
      await hands[Symbol.asyncDispose]()
      messages[Symbol.dispose]()
    },
  }
}
