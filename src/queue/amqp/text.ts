import type { AsyncMessage } from 'rabbitmq-client'

/** What a message says. The client has read it already where that tells that it is text or JSON. */
export function textOf({ body }: AsyncMessage): string {
  if (Buffer.isBuffer(body)) return body.toString()
  return typeof body === 'string' ? body : JSON.stringify(body)
}
