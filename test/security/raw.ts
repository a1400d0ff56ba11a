/** Requests by hand, such as no client would send them: the bytes as they are, and all that is answered to them. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { Service } from '../harness.ts'

/** No machine is so slow that a service which has said nothing by then still will. */
const patienceMs = 60_000

type Bytes = string | Uint8Array

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface Telling {
  /** Says after the last byte that there is nothing more to come, as a client does that goes away. */
  readonly end?: boolean
}

export function portOf({ url }: Pick<Service, 'url'>): number {
  return Number(new URL(url).port)
}

/** A connection that has said so much and goes on holding. What becomes of it is up to whoever holds it. */
export function hold(service: Pick<Service, 'url'>, bytes: Bytes): Socket {
  const socket = connect({ port: portOf(service), host: '127.0.0.1', noDelay: true })
  // A service that hangs up while something is on its way is heard of as a reset.
  socket.on('error', () => {})
  socket.write(bytes)
  return socket
}

/**
 * What the service answers until it hangs up; the bytes go out in the pieces that they are given in.
 * @throws {Error} when it goes on holding the connection
 */
export async function tell(
  service: Pick<Service, 'url'>,
  bytes: Bytes | readonly Bytes[],
  { end = false }: Telling = {},
): Promise<Answer[]> {
  const [first = '', ...more] = typeof bytes === 'string' || bytes instanceof Uint8Array ? [bytes] : bytes
  const socket = hold(service, first)
  const heard = hear(socket)
  for (const piece of more) {
    await turn()
    if (!socket.writable) break
    if (!socket.write(piece)) await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve))
  }
  if (end) socket.end()
  return answersIn(await heard)
}

/** The first answer to these bytes, whatever becomes of the connection; undefined when there is none. */
export async function firstAnswer(service: Pick<Service, 'url'>, bytes: Bytes): Promise<Answer | undefined> {
  const socket = hold(service, bytes)
  let said = ''
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
    const [head] = /^[^]*?\r\n\r\n/.exec(said) ?? []
    const [, length = '0'] = /\ncontent-length: (\d+)/i.exec(head ?? '') ?? []
    if (head !== undefined && said.length >= head.length + Number(length)) socket.destroy()
  })
  await hear(socket)
  return answersIn(said)[0]
}

/** All that comes until the service hangs up. @throws {Error} when it has not after so long */
export function hear(socket: Socket, waitMs: number = patienceMs): Promise<string> {
  if (socket.closed) return Promise.resolve('')
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end after ${waitMs / 1000} s, but only: ${JSON.stringify(said())}`))
    }, waitMs)
    const said = () => Buffer.concat(chunks).toString('latin1')
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(said())
    })
  })
}

/** One after the other, by their lengths. */
export function answersIn(said: string): Answer[] {
  const answers: Answer[] = []
  for (let rest = said; rest !== ''; ) {
    const [head = '', status] = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/.exec(rest) ?? []
    if (status === undefined) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 500))}`)
    const [, ...lines] = head.trimEnd().split('\r\n')
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      }),
    )
    // Nothing that is told in chunks is followed by anything.
    const length = headers.has('transfer-encoding') ? rest.length : Number(headers.get('content-length') ?? 0)
    const end = head.length + length
    const body = Buffer.from(rest.slice(head.length, end), 'latin1').toString()
    answers.push({ status: Number(status), headers, body })
    rest = rest.slice(end)
  }
  return answers
}

/** Headers, whoever has read them. */
interface Named {
  get(name: string): string | null | undefined
}

/** A refusal as they all are: RFC 9457. */
export function assertProblem({ status, headers, body }: Omit<Answer, 'headers'> & { headers: Named }): void {
  assert.ok(status >= 400 && status < 500, `it answers ${status}: ${body}`)
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json(;|$)/, body)
  const problem = JSON.parse(body) as Record<string, unknown>
  assert.deepEqual([problem['status'], typeof problem['code'], typeof problem['detail']], [status, 'string', 'string'])
}
