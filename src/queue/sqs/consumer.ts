/** Messages of somebody else on SQS: each is kept back from others as long as it is seen to. */
import { type Message, QueueDoesNotExist } from '@aws-sdk/client-sqs'
import type { Consumer, Handle } from '../../ports.ts'
import { type ConsumerOptions, noQueue } from '../consume.ts'
import { pause } from '../hear.ts'
import { createPatience } from '../patience.ts'
import { addressOf } from './address.ts'
import { away, refused } from './errors.ts'
import { openMessages } from './messages.ts'

/** Milliseconds for SQS to say at the start that all is well, */
const openMs = 10_000
/** and until it is asked again when it could not be. */
const retryMs = 1_000

/** @throws {AppError} invalid, unavailable */
export async function openSqsConsumer(url: string, handle: Handle, options: ConsumerOptions): Promise<Consumer> {
  const { setting, hands, holdMs, log } = options
  const messages = openMessages(addressOf(url, setting), { isOurs: false })
  try {
    await createPatience(() => {}, { ms: openMs, setting })(() => messages.count())
  } catch (error) {
    messages[Symbol.dispose]()
    throw error instanceof QueueDoesNotExist ? noQueue(setting, error) : refused(error, setting)
  }
  const stop = new AbortController()
  const seconds = Math.max(1, Math.ceil(holdMs / 1_000))
  let isAway = false

  async function loop() {
    while (!stop.signal.aborted) {
      try {
        const message = await messages.receive(stop.signal, seconds)
        if (isAway) log.info({ setting }, 'the queue answers again')
        isAway = false
        if (message !== undefined) await see(message)
      } catch (err) {
        if (stop.signal.aborted) return
        if (!isAway) log.warn({ err, setting }, 'the queue does not answer; asking again')
        isAway = true
        await pause(retryMs, stop.signal)
      }
    }
  }

  async function see(message: Message): Promise<void> {
    // Kept too late, it comes to somebody else as well, who finds it being seen to.
    const beat = setInterval(() => {
      messages.keep(message, seconds).catch((err: unknown) => log.warn({ err }, 'a message could not be kept back'))
    }, holdMs / 3)
    try {
      const fate = await handle(message.Body ?? '', stop.signal)
      clearInterval(beat)
      if (fate === 'done') await messages.delete(message)
      else if (fate === 'unreadable') await messages.bury(message)
      else await messages.keep(message, 0)
    } finally {
      clearInterval(beat)
    }
  }

  const patiently = createPatience(() => {}, { setting })
  const loops = Array.from({ length: hands }, loop)
  return {
    async ping() {
      try {
        await patiently(() => messages.count())
      } catch (error) {
        throw away(error, setting)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(loops)
      messages[Symbol.dispose]()
    },
  }
}
