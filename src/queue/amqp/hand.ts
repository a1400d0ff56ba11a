/** A hand at the queue: one bell at a time, and none while it is at work. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { Answer, Work } from '../../ports.ts'
import { readBell } from '../bell.ts'
import { hear, pause } from '../hear.ts'
import type { QueueOptions } from '../open.ts'
import type { Address } from './address.ts'
import type { Link } from './link.ts'
import { textOf } from './text.ts'

/**
 * Work that ends sooner costs no more than an acknowledgement. Longer work costs an end and a new beginning of the
 * subscription, since the broker would push the next bell to a hand as soon as it has acknowledged this one, and would
 * close the channel of one that never does (`consumer_timeout`).
 */
const holdMs = 250

/**
 * Milliseconds without a bell, after which a hand subscribes anew. The broker does not always tell when the queue is
 * deleted (3.10 does not, of a quorum queue): whoever rings makes it again, and the hand would hear nothing of it.
 */
const usualIdleMs = 30_000

/** Milliseconds between two looks whether the connection is back, */
const lookMs = 100
/** and for a channel to be closed in good order. */
const closeMs = 500

export interface HandOptions extends QueueOptions {
  readonly idleMs?: number
}

export function startHand(
  link: Link,
  { queue }: Address,
  handler: Answer,
  { pollMs, log, fail, idleMs = usualIdleMs }: HandOptions,
): AsyncDisposable {
  const stop = new AbortController()
  let wake = () => {}

  async function loop() {
    while (!stop.signal.aborted) {
      if (!link.isUp()) {
        await pause(lookMs, stop.signal)
        continue
      }
      try {
        await answerOn(await link.channel())
      } catch (err) {
        if (link.isUp()) log.warn({ err }, 'a hand has lost the queue, and goes for it again')
        await pause(lookMs, stop.signal)
      }
    }
  }

  /** Answers until the hand is stopped, hears nothing for long, or the broker takes the channel or the queue away. */
  async function answerOn(channel: Channel) {
    const arrived: AsyncMessage[] = []
    let consumer: string | undefined
    let lost: Error | undefined
    const lose = (why: string) => () => {
      lost = new Error(why)
      wake()
    }
    channel.once('close', lose('the channel is closed'))
    channel.once('basic.cancel', lose('the queue is deleted, or its node is down'))

    async function next(): Promise<AsyncMessage | undefined> {
      for (;;) {
        if (stop.signal.aborted) return undefined
        if (lost !== undefined) throw lost
        const message = arrived.shift()
        if (message !== undefined) return message
        if (consumer === undefined) {
          const begun = await channel.basicConsume({ queue }, (one) => {
            arrived.push(one)
            wake()
          })
          consumer = begun.consumerTag
        } else {
          const isWoken = await new Promise<boolean>((resolve) => {
            const idle = setTimeout(() => resolve(false), idleMs)
            wake = () => {
              clearTimeout(idle)
              resolve(true)
            }
          })
          if (!isWoken) return undefined
        }
      }
    }

    /** @param isBusy whether the hand has something else to do now than to take the next one. */
    async function release({ deliveryTag }: AsyncMessage, isBusy: boolean): Promise<void> {
      try {
        if (isBusy && consumer !== undefined) {
          const consumerTag = consumer
          consumer = undefined
          await channel.basicCancel({ consumerTag })
        }
        fail?.('before-acknowledge')
        channel.basicAck({ deliveryTag })
        fail?.('after-acknowledge')
      } catch {
        // The channel is gone. The bell rings for somebody else, who finds the task claimed.
      }
    }

    async function answer(message: AsyncMessage, task: string): Promise<void> {
      let released: Promise<void> | undefined
      const see = async (work: Work) => {
        const hold = setTimeout(() => {
          released = release(message, true)
        }, holdMs)
        try {
          await work()
        } finally {
          clearTimeout(hold)
        }
      }
      const isHeard = await hear(handler, task, log, see)
      await (released ?? release(message, !isHeard))
      if (!isHeard) await pause(pollMs, stop.signal)
    }

    try {
      await channel.basicQos({ prefetchCount: 1 })
      for (let message = await next(); message !== undefined; message = await next()) {
        const task = readBell(textOf(message))
        if (task !== undefined) await answer(message, task)
        else {
          log.warn('a message that is no bell goes to the dead letters')
          channel.basicNack({ deliveryTag: message.deliveryTag, requeue: false })
        }
      }
    } finally {
      // What has arrived and was not answered goes back to the queue. A broker that hangs is not waited for.
      await Promise.race([channel.close(), sleep(closeMs, undefined, { ref: false })])
    }
  }

  const done = loop()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      wake()
      await done
    },
  }
}
