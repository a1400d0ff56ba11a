/** The queue and that of its dead letters: made where they are not there, and again when somebody deletes them. */
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { Address } from './address.ts'

/** Seconds for which SQS holds a request until there is a message; more it does not offer. */
const pollSeconds = 20
/** Milliseconds after which such a request is taken for lost, */
const lostMs = 25_000
/** and for a connection to come about. */
const connectMs = 2_000

export interface Messages extends Disposable {
  send(body: string): Promise<void>
  /**
   * The next message, if there is one by the end of a poll.
   * @param seconds for which nobody else gets it; undefined leaves that to the queue.
   */
  receive(stop: AbortSignal, seconds?: number): Promise<Message | undefined>
  /** From now on nobody else gets it for so many seconds; 0 gives it back. */
  keep(message: Message, seconds: number): Promise<void>
  delete(message: Message): Promise<void>
  /** Puts a message with the dead letters. */
  bury(message: Message): Promise<void>
  /** About how many there are that nobody has received. */
  count(): Promise<number>
}

/** @param isOurs whether the queue is made where it is not there; that of the dead letters always is. */
export function openMessages(
  { region, queue, dead, endpoint, credentials }: Address,
  { isOurs = true }: { isOurs?: boolean } = {},
): Messages {
  // Each hand holds a connection most of the time, and none may keep a bell from being rung.
  const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }
  const client = new SQSClient({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    requestHandler: { connectionTimeout: connectMs, httpAgent: agent, httpsAgent: agent },
  })
  const known = new Map<string, Promise<string>>()

  /** Does something with a queue. One that is gone is made again, once. */
  async function at<T>(name: string, ask: (QueueUrl: string) => Promise<T>): Promise<T> {
    try {
      return await ask(await urlOf(name))
    } catch (error) {
      if (!(error instanceof QueueDoesNotExist)) throw error
      known.delete(name)
      return await ask(await urlOf(name))
    }
  }

  function urlOf(name: string): Promise<string> {
    const url = known.get(name) ?? findOrMake(name)
    known.set(name, url)
    url.catch(() => known.delete(name))
    return url
  }

  async function findOrMake(QueueName: string): Promise<string> {
    try {
      const { QueueUrl = '' } = await client.send(new GetQueueUrlCommand({ QueueName }))
      return QueueUrl
    } catch (error) {
      if (!(error instanceof QueueDoesNotExist) || (!isOurs && QueueName === queue)) throw error
      const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName }))
      return QueueUrl
    }
  }

  const send = async (name: string, MessageBody: string) => {
    await at(name, (QueueUrl) => client.send(new SendMessageCommand({ QueueUrl, MessageBody })))
  }

  const messages: Messages = {
    send: (body) => send(queue, body),
    async receive(stop, seconds) {
      const abortSignal = AbortSignal.any([stop, AbortSignal.timeout(lostMs)])
      const asked = { MaxNumberOfMessages: 1, WaitTimeSeconds: pollSeconds, VisibilityTimeout: seconds }
      const answer = await at(queue, (QueueUrl) =>
        client.send(new ReceiveMessageCommand({ QueueUrl, ...asked }), { abortSignal }),
      )
      return answer.Messages?.[0]
    },
    async keep({ ReceiptHandle }, VisibilityTimeout) {
      const kept = { ReceiptHandle, VisibilityTimeout }
      await at(queue, (QueueUrl) => client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ...kept })))
    },
    async delete({ ReceiptHandle }) {
      await at(queue, (QueueUrl) => client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })))
    },
    async bury(message) {
      await send(dead, message.Body ?? '')
      await messages.delete(message)
    },
    async count() {
      const { Attributes } = await at(queue, (QueueUrl) =>
        client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] })),
      )
      // Both must be there before anybody is told that all is well.
      await urlOf(dead)
      return Number(Attributes?.ApproximateNumberOfMessages)
    },
    [Symbol.dispose]: () => client.destroy(),
  }
  return messages
}
