/** A connection that comes back by itself, whatever happens to the broker, and channels in it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, Connection } from 'rabbitmq-client'
import type { Log } from '../../log.ts'
import type { Address } from './address.ts'

/**
 * Seconds. A side that has said nothing for twice as long (the client: two and a half times) is given up; so a network
 * that swallows everything costs 20 s, and not the quarter of an hour that TCP would take.
 */
const heartbeat = 8

/** Milliseconds for a connection to come about, */
export const connectMs = 5_000
/** between two attempts at it, */
const retryMs = { retryLow: 250, retryHigh: 4_000 }
/** for the broker to give a channel and look after the queues, */
const hungMs = 10_000
/** and for a connection to end in good order. */
const closeMs = 1_000

/**
 * How many times a bell may be given back before it counts as unreadable. No bell is poison, since it is let go before the
 * work begins; but RabbitMQ before 4.0 has no limit of its own, later ones have 20, and a queue without one can hold a
 * message for ever.
 */
const deliveryLimit = 1_000

export interface Link extends AsyncDisposable {
  /** Resolves at the first connection; rejects when the first attempt fails, and goes on trying all the same. */
  readonly opened: Promise<void>
  /** Whether there is a connection, as far as is known, and the broker takes messages from it. */
  isUp(): boolean
  /** A new channel, prepared: by default the queues are there. */
  channel(): Promise<Channel>
}

/**
 * @param what it is for, as the broker shows it.
 * @param prepare is done first on each channel.
 */
export function connect(
  address: Address,
  what: string,
  log: Log,
  prepare: (channel: Channel, address: Address) => Promise<unknown> = declare,
): Link {
  const { isTls, hostname, port, username, password, vhost } = address
  const options = {
    hostname,
    port,
    username,
    password,
    vhost,
    tls: isTls,
    connectionName: `Rowmill (${what})`,
    connectionTimeout: connectMs,
    acquireTimeout: connectMs,
    heartbeat,
    ...retryMs,
  }
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>()
  opened.catch(() => undefined)
  const channels = new Set<Channel>()
  let isFirst = true
  let isOver = false
  let connection = begin()

  function begin(): Connection {
    const begun = new Connection(options)
    begun.on('error', (err: unknown) => {
      reject(err)
      if (!isFirst) log.warn({ err, what }, 'the connection to the queue is lost; connecting again')
    })
    begun.on('connection', () => {
      resolve()
      if (!isFirst) log.info({ what }, 'connected to the queue again')
      isFirst = false
    })
    begun.on('connection.blocked', (reason) => log.warn({ reason }, 'the broker takes no messages at present'))
    return begun
  }

  async function open(): Promise<Channel> {
    const channel = await connection.acquire({ emitErrorsFromChannel: true })
    // Who uses the channel learns of it by what fails then.
    channel.on('error', (err: unknown) => log.warn({ err, what }, 'the broker has closed a channel'))
    channels.add(channel)
    channel.once('close', () => channels.delete(channel))
    await prepare(channel, address)
    return channel
  }

  return {
    opened,
    isUp: () => connection.ready,
    async channel() {
      const used = connection
      const hung = setTimeout(() => {
        if (used !== connection || isOver) return
        // Heartbeats come from another part of the broker than the queue does.
        log.warn({ what }, 'the broker does not answer; connecting anew')
        used.unsafeDestroy()
        connection = begin()
      }, hungMs)
      try {
        return await open()
      } finally {
        clearTimeout(hung)
      }
    },
    async [Symbol.asyncDispose]() {
      isOver = true
      const closed = Promise.all([...channels].map((channel) => channel.close())).then(() => connection.close())
      // A broker that hangs would be waited for.
      await Promise.race([closed, sleep(closeMs, undefined, { ref: false })])
      connection.unsafeDestroy()
    },
  }
}

/** Makes the queues where they are not there. */
export async function declare(channel: Channel, { queue, dead }: Pick<Address, 'queue' | 'dead'>): Promise<number> {
  const kind = { 'x-queue-type': 'quorum' } as const
  await channel.queueDeclare({ queue: dead, durable: true, arguments: kind })
  const letters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead }
  const { messageCount } = await channel.queueDeclare({
    queue,
    durable: true,
    arguments: { ...kind, ...letters, 'x-delivery-limit': deliveryLimit },
  })
  return messageCount
}
