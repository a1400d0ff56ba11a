/** A stand-in for SQS in this process, and a queue of it as somebody else sees it. */
import type { AddressInfo } from 'node:net'
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { newId } from '../src/ids.ts'

export interface SqsServer extends AsyncDisposable {
  /** The URL of a queue that nobody else uses. */
  freshQueue(): string
  /** Makes it beforehand; `visibility`: seconds until a message that was received and not deleted is seen again. */
  make(url: string, visibility: number): Promise<void>
  /** Puts a message there, whatever it says. */
  send(url: string, message: string): Promise<void>
  remove(url: string): Promise<void>
  /** Takes the next message of the dead letters, if there is one. */
  takeDead(url: string): Promise<string | undefined>
}

/** Not by its own start, which listens to the whole network. */
export async function startSqs(at = 0): Promise<SqsServer> {
  const app = buildApp({ logger: false })
  await app.listen({ host: '127.0.0.1', port: at })
  const { port } = app.server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}`
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }
  const client = new SQSClient({ region: 'eu-west-1', endpoint, credentials })
  const urlOf = async (QueueName: string) => (await client.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl
  const nameOf = (url: string) => new URL(url).pathname.slice(1)
  return {
    freshQueue: () => `sqs://key:secret@eu-west-1/${newId()}?endpoint=${endpoint}`,
    async make(url, visibility) {
      const Attributes = { VisibilityTimeout: String(visibility) }
      await client.send(new CreateQueueCommand({ QueueName: nameOf(url), Attributes }))
    },
    async send(url, MessageBody) {
      await client.send(new SendMessageCommand({ QueueUrl: await urlOf(nameOf(url)), MessageBody }))
    },
    async remove(url) {
      await client.send(new DeleteQueueCommand({ QueueUrl: await urlOf(nameOf(url)) }))
    },
    async takeDead(url) {
      const QueueUrl = await urlOf(`${nameOf(url)}-dead`)
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 600 }))
      return Messages?.[0]?.Body
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
