/**
 * A file in one long request, that goes on where it broke off. Source: the tus protocol 1.0.0,
 * https://tus.io/protocols/resumable-upload.
 */
import { answered, type Client } from '../client.ts'
import { type Field, metadataOf } from './fields.ts'
import { isGone, mayPass, type Persistence, persist } from './retry.ts'
import type { OpenSource } from './source.ts'
import type { OnBytes } from './tally.ts'

const version = { 'tus-resumable': '1.0.0' }

/** Of the request that begins an upload. */
export function creationHeaders(size: number, fields: readonly Field[]): Record<string, string> {
  return { ...version, 'upload-length': String(size), 'upload-metadata': metadataOf(fields) ?? '' }
}

/** How many bytes are stored for good. Whoever was at the upload is cut off. */
export async function offsetOf(client: Client, upload: string): Promise<number> {
  const { headers } = await client.request(upload, { method: 'HEAD', headers: version })
  return Number(headers.get('upload-offset'))
}

export interface InOrder {
  /** The upload's path at the service. */
  readonly upload: string
  readonly size: number
  readonly opened: OpenSource
  /** Where to go on. */
  readonly from: number
  /** Told of the bytes that are over, those before `from` included. */
  readonly onBytes: OnBytes
}

/** Sends all bytes from an offset on, until the service has them for good. */
export async function sendInOrder(
  client: Client,
  { upload, size, opened, from, onBytes }: InOrder,
  persistence: Persistence,
): Promise<void> {
  let next: { at: number; isWhole: boolean } | undefined = { at: from, isWhole: false }
  let reached = from
  let furthest = from

  async function ask(): Promise<{ at: number; isWhole: boolean }> {
    try {
      const at = await offsetOf(client, upload)
      return { at, isWhole: at === size }
    } catch (error) {
      if (isGone(error) || mayPass(error, 1)) throw error
      // All bytes are there and something is wrong with them. An answer to HEAD has no words: asked to take none
      // more, the service says what it is.
      return { at: size, isWhole: false }
    }
  }

  await persist(
    persistence,
    async ({ gotOn }) => {
      const { at, isWhole } = next ?? (await ask())
      next = undefined
      if (at > reached) gotOn()
      reached = Math.max(reached, at)
      onBytes(at)
      if (isWhole) return

      async function* body(): AsyncGenerator<Uint8Array> {
        let done = at
        for await (const chunk of opened.bytes(at)) {
          yield chunk
          done += chunk.byteLength
          onBytes(done)
          if (done > furthest) gotOn()
          furthest = Math.max(furthest, done)
        }
      }
      const headers = { ...version, 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream' }
      await client.send(upload, { method: 'PATCH', headers, body: body(), bytes: size - at })
    },
    // Somebody else was at it: it is asked anew where it is.
    (error, attempt) => mayPass(error, attempt) || answered(error)?.status === 409,
  )
}
