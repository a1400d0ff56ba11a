/** Clients that take their time: with the headers, with the body, with reading what they have asked for. */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { send, type Service, taskEnds } from '../harness.ts'
import { hold } from './raw.ts'

type Where = Pick<Service, 'url'>

/** Sends a header, or whatever it is, a byte at a time, for as long as there is somebody to take it. */
export async function drip(socket: Socket, bytes: Iterable<number>, everyMs: number): Promise<void> {
  for (const byte of bytes) {
    await sleep(everyMs)
    if (!socket.writable) return
    socket.write(Uint8Array.of(byte))
  }
}

export function* endlessHeader(): Generator<number> {
  yield* Buffer.from('X-Header: ')
  for (;;) yield 120
}

/** A request whose headers never end. */
export function dripHeaders(service: Where, everyMs: number): Socket {
  const socket = hold(service, 'GET /v1/limits HTTP/1.1\r\nHost: localhost\r\n')
  void drip(socket, endlessHeader(), everyMs)
  return socket
}

export interface SlowBody {
  /** `POST /v1/uploads` */
  readonly line: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Buffer
  /** How much of it comes; all of it, unless it is told. */
  readonly comes?: number
  readonly everyMs: number
}

/** A request whose body comes a byte at a time. */
export function dripBody(service: Where, { line, headers = {}, body, comes = body.length, everyMs }: SlowBody): Socket {
  const all = { host: 'localhost', connection: 'close', 'content-length': String(body.length), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = hold(service, `${line} HTTP/1.1\r\n${lines.join('')}\r\n`)
  void drip(socket, body.subarray(0, comes), everyMs)
  return socket
}

/** Asks for something, and reads nothing of it, unless it is resumed. */
export function askOnly(service: Where, path: string): Socket {
  return hold(service, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`).pause()
}

/** A task whose output is so long that it stands in no buffer of the system; and where the output is. */
export async function makeLongOutput(service: Service, bytes: number): Promise<string> {
  const song = 'x'.repeat(1000)
  const rows = Array.from({ length: Math.ceil(bytes / 1016) }, (_, i) => `${song}${i},2020-01-01,1\n`)
  const plays = new Blob(['Song,Date,Number of Plays\n', ...rows])
  const { task } = await send(service, plays, { name: 'plays.csv', pipeline: 'song-plays' })
  const ended: TaskAnswer = await taskEnds(service, task)
  const [totals] = ended.outputs
  if (totals === undefined || !('url' in totals)) throw new Error(`no output: ${JSON.stringify(ended)}`)
  return totals.url
}
