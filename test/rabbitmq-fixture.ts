/** A queue of RabbitMQ's as somebody else sees it. */
import { type Channel, Connection } from 'rabbitmq-client'
import { freshQueue } from './servers.ts'

export interface RawQueue extends AsyncDisposable {
  readonly url: string
  readonly name: string
  readonly channel: Channel
  /** Puts a message there, whatever it says. */
  send(message: string): Promise<void>
  /** Takes the next message of a queue, if there is one. */
  take(queue: string): Promise<string | undefined>
}

/** @param url of a queue that need not be there yet; one of its own, unless it is given. */
export async function openRawQueue(url?: string): Promise<RawQueue> {
  const own = new URL(url ?? (await freshQueue()))
  const name = own.searchParams.get('queue') ?? ''
  const { username, password, hostname, port } = own
  const connection = new Connection({ username, password, hostname, port })
  connection.on('error', () => {})
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  channel.on('error', () => {})
  await channel.confirmSelect()
  return {
    url: own.href,
    name,
    channel,
    send: (message) => channel.basicPublish({ routingKey: name, durable: true }, Buffer.from(message)),
    async take(queue) {
      const message = await channel.basicGet({ queue, noAck: true })
      return message === undefined ? undefined : String(message.body)
    },
    async [Symbol.asyncDispose]() {
      await channel.close()
      await connection.close()
    },
  }
}
