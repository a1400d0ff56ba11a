/** A hand at the queue: one bell at a time, which is deleted once its task is claimed. */
import type { Message } from '@aws-sdk/client-sqs'
import type { Answer } from '../../ports.ts'
import { readBell } from '../bell.ts'
import { hear, pause } from '../hear.ts'
import type { QueueOptions } from '../open.ts'
import type { Messages } from './messages.ts'

/** Milliseconds until SQS is asked again when it could not be. */
const retryMs = 1_000

export function startHand(messages: Messages, handler: Answer, { pollMs, log, fail }: QueueOptions): AsyncDisposable {
  const stop = new AbortController()

  async function loop() {
    let isAway = false
    while (!stop.signal.aborted) {
      try {
        const message = await messages.receive(stop.signal)
        if (isAway) log.info('the queue answers again')
        isAway = false
        if (message !== undefined) await take(message)
      } catch (err) {
        if (stop.signal.aborted) return
        if (!isAway) log.warn({ err }, 'the queue does not answer; asking again')
        isAway = true
        await pause(retryMs, stop.signal)
      }
    }
  }

  async function take(message: Message) {
    const task = readBell(message.Body ?? '')
    if (task === undefined) {
      log.warn('a message that is no bell goes to the dead letters')
      await messages.bury(message)
      return
    }
    let deleted: Promise<void> | undefined
    const release = () => {
      // If it cannot be deleted, it is heard once more, and the task is found claimed.
      deleted ??= forget()
      return deleted
    }
    const forget = async () => {
      fail?.('before-acknowledge')
      await messages.delete(message).catch(() => undefined)
      fail?.('after-acknowledge')
    }
    const isHeard = await hear(handler, task, log, async (work) => {
      // The work does not wait for it.
      await Promise.all([release(), work()])
    })
    await release()
    if (!isHeard) await pause(pollMs, stop.signal)
  }

  const done = loop()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}
