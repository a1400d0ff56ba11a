/** Messages of somebody else on RabbitMQ, in a queue that he has made as he likes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AsyncMessage, Channel } from 'rabbitmq-client'
import { errnoOf } from '../../errors.ts'
import type { Consumer, Handle } from '../../ports.ts'
import { type ConsumerOptions, noQueue } from '../consume.ts'
import { pause } from '../hear.ts'
import { createPatience } from '../patience.ts'
import { type Address, addressOf } from './address.ts'
import { away, disconnected, refused } from './errors.ts'
import { connect, connectMs } from './link.ts'
import { probe } from './probe.ts'
import { textOf } from './text.ts'

/** Milliseconds between two tries to get at the queue, */
const retryMs = 1_000
/** without a message, until the queue is looked for anew: the broker does not always tell when it was made again, */
const idleMs = 30_000
/** and for a channel to be closed in good order. */
const closeMs = 500

/** @throws {AppError} invalid, unavailable */
export async function openAmqpConsumer(url: string, handle: Handle, options: ConsumerOptions): Promise<Consumer> {
  const { setting, hands, log } = options
  const address = addressOf(url, { setting, usual: '' })
  const { queue, dead } = address
  await probe(address, connectMs).catch((error: unknown) => {
    throw refused(error, setting)
  })
  await using stack = new AsyncDisposableStack()
  const link = stack.use(connect(address, 'events', log, lookFor))
  try {
    await link.opened
    await makeDead()
  } catch (error) {
    throw errnoOf(error) === 'NOT_FOUND' ? noQueue(setting, error) : refused(error, setting)
  }
  const stop = new AbortController()
  const underWay = new Set<Promise<void>>()

  async function on<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await link.channel()
    try {
      return await work(channel)
    } finally {
      await Promise.race([channel.close(), sleep(closeMs, undefined, { ref: false })])
    }
  }

  /** One that somebody has made in another way does as well. */
  async function makeDead(): Promise<void> {
    const made = { queue: dead, durable: true, arguments: { 'x-queue-type': 'quorum' } } as const
    await on((channel) => channel.queueDeclare(made)).catch((error: unknown) => {
      if (errnoOf(error) !== 'PRECONDITION_FAILED') throw error
    })
  }

  /** Not by the queue's own dead-letter exchange: it may have none, and the message would be lost. */
  async function bury(message: AsyncMessage): Promise<void> {
    await makeDead()
    await on(async (channel) => {
      await channel.confirmSelect()
      await channel.basicPublish({ routingKey: dead, durable: true }, Buffer.from(textOf(message)))
    })
  }

  async function see(channel: Channel, message: AsyncMessage): Promise<void> {
    const { deliveryTag } = message
    try {
      const fate = await handle(textOf(message), stop.signal)
      if (fate === 'unreadable') await bury(message)
      if (fate === 'later') channel.basicNack({ deliveryTag, requeue: true })
      else channel.basicAck({ deliveryTag })
    } catch (err) {
      // The channel is gone, or the broker: the message comes again.
      log.warn({ err, setting }, 'a message could not be answered; it comes again')
      await channel.close().catch(() => undefined)
    }
  }

  /** Takes messages until it is stopped, hears nothing for long, or the broker takes the channel or the queue away. */
  async function consume(channel: Channel): Promise<void> {
    const { promise: end, resolve, reject } = Promise.withResolvers<void>()
    const lose = (why: string) => () => reject(new Error(why))
    channel.once('close', lose('the channel is closed'))
    channel.once('basic.cancel', lose('the queue is deleted, or its node is down'))
    end.catch(() => undefined)
    const leave = () => resolve()
    stop.signal.addEventListener('abort', leave)
    let heard = performance.now()
    const idle = setInterval(() => {
      if (underWay.size === 0 && performance.now() - heard > idleMs) resolve()
    }, idleMs / 3)
    try {
      await channel.basicQos({ prefetchCount: hands })
      const { consumerTag } = await channel.basicConsume({ queue }, (message) => {
        const seen = see(channel, message).finally(() => {
          heard = performance.now()
          underWay.delete(seen)
        })
        underWay.add(seen)
      })
      await end
      // What is given back would come again at once.
      await channel.basicCancel({ consumerTag })
      await Promise.all(underWay)
    } finally {
      clearInterval(idle)
      stop.signal.removeEventListener('abort', leave)
    }
  }

  async function loop() {
    while (!stop.signal.aborted) {
      if (link.isUp()) {
        await on(consume).catch((err: unknown) => {
          if (!stop.signal.aborted && link.isUp()) log.warn({ err, setting }, 'the queue is lost; going for it again')
        })
      }
      if (!stop.signal.aborted) await pause(retryMs, stop.signal)
    }
  }

  const patiently = createPatience(() => {}, { setting })
  const looping = loop()
  const opened = stack.move()
  return {
    async ping() {
      if (!link.isUp()) throw disconnected(setting)
      try {
        await patiently(() => on(async () => {}))
      } catch (error) {
        throw away(error, setting)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await looping
      await Promise.all(underWay)
      await opened.disposeAsync()
    },
  }
}

/** Whoever sends there has made it. */
async function lookFor(channel: Channel, { queue }: Pick<Address, 'queue'>): Promise<void> {
  await channel.queueDeclare({ queue, passive: true })
}
