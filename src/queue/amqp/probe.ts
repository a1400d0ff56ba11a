/** Whether a broker answers at all, asked before the client is let there: it believes whatever length it reads. */
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Address } from './address.ts'

/** What a client says first, and what every answer of a broker begins with: a method, or the version that it speaks. */
const greeting = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')
const answers = [Buffer.from([1]), Buffer.from('AMQP')]

/** @throws {Error} with a code, as the client's own: CONNECTION_TIMEOUT, CONN_CLOSE, or what the system says. */
export async function probe({ isTls, hostname: host, port }: Address, ms: number): Promise<void> {
  const socket = isTls ? connectTls({ host, port }) : connect({ host, port })
  socket.setTimeout(ms, () => socket.destroy(failure('CONNECTION_TIMEOUT')))
  socket.write(greeting)
  // Leaving the loop destroys the socket.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    if (answers.some((answer) => chunk.subarray(0, answer.length).equals(answer))) return
    break
  }
  throw failure('CONN_CLOSE')
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}
