/** How a client sends a stretch of a file, in each of the ways; all of them by node:http, over connections that stay open. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

export interface Slice {
  readonly path: string
  readonly start: number
  readonly bytes: number
}

/** Sends it to an address; where it is to be found then. */
export type Way = (slice: Slice, to: URL) => Promise<URL>

const agent = new Agent({ keepAlive: true })
const readBytes = 1 << 20

/** In one stream. */
export const put: Way = async (slice, to) => placeOf(await exchange('PUT', to, {}, slice), to)

/** By the tus protocol, in chunks of so many bytes. */
export function tus(chunk: number): Way {
  const version = { 'tus-resumable': '1.0.0' }
  return async (slice, to) => {
    const name = Buffer.from('upload.csv').toString('base64')
    const announced = { 'upload-length': slice.bytes, 'upload-metadata': `filename ${name}` }
    const at = placeOf(await exchange('POST', to, { ...version, ...announced }), to)
    const type = { 'content-type': 'application/offset+octet-stream' }
    for (const part of cut(slice, chunk)) {
      await exchange('PATCH', at, { ...version, ...type, 'upload-offset': part.start - slice.start }, part)
    }
    return at
  }
}

/** In pieces of so many bytes, several of them at once. */
export function pieces(bytes: number, atOnce: number): Way {
  return async (slice, to) => {
    const waiting = cut(slice, bytes).entries().toArray()
    const begin = new URL(to)
    begin.searchParams.set('parts', String(waiting.length))
    const at = placeOf(await exchange('POST', begin, {}), to)
    const sendNext = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [i, piece] = next
        await exchange('PUT', new URL(`${at.pathname}/parts/${i + 1}`, at), {}, piece)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, sendNext))
    return at
  }
}

export async function remove(at: URL): Promise<void> {
  // A server of tus serves nobody who does not say so.
  await exchange('DELETE', at, { 'tus-resumable': '1.0.0' })
}

/** The stretches of so many bytes, the last one of what is left. */
export function cut({ path, start, bytes }: Slice, each: number): Slice[] {
  return Array.from({ length: Math.ceil(bytes / each) }, (_, i) => {
    return { path, start: start + i * each, bytes: Math.min(each, bytes - i * each) }
  })
}

/** @throws {Error} when the answer is no success. */
async function exchange(
  method: string,
  url: URL,
  headers: OutgoingHttpHeaders,
  body?: Slice,
): Promise<IncomingMessage> {
  const sent = request(url, { method, agent, headers: { ...headers, 'content-length': body?.bytes ?? 0 } })
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  if (body === undefined) sent.end()
  const sending = body === undefined ? undefined : pipeline(read(body), sent)
  const [[answer]] = await Promise.all([answered, sending])
  const words = await buffer(answer)
  const { statusCode = 0 } = answer
  if (statusCode < 200 || statusCode > 299) throw new Error(`${method} ${url.href}: ${statusCode} ${words.toString()}`)
  return answer
}

function read({ path, start, bytes }: Slice) {
  return createReadStream(path, { start, end: start + bytes - 1, highWaterMark: readBytes })
}

function placeOf({ headers: { location } }: IncomingMessage, sentTo: URL): URL {
  return location === undefined ? sentTo : new URL(location, sentTo)
}
