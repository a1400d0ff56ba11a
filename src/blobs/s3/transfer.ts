/** The bytes of an object, on their way to us: a transfer that breaks off goes on where it broke. */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import type { Store } from './client.ts'
import { codeOf, translate } from './errors.ts'

/** Which object: as it is, as one version of it, or only as long as it has that ETag. */
export interface Wanted {
  /** The whole key there. */
  readonly key: string
  readonly version?: string | undefined
  readonly etag?: string | undefined
  /** The error to throw instead of one that the store gives. */
  readonly meaning: (error: unknown) => unknown
}

export interface Transfer {
  readonly body: Readable
  /** Of all of the object, wherever this begins. */
  readonly bytes: number
  readonly etag: string | undefined
}

/** A transfer that broke so often with next to nothing in between is given up. */
const mostBreaks = 5
const nextToNothing = 1 << 20
const pauseMs = 100

/** Chunks, of 64 KiB mostly, that are read ahead of who takes them. */
const ahead = 4

/** @param from where to go on, in the same object: if it is another by now, that is a failed precondition. */
export async function begin(
  { client, bucket, ask }: Store,
  { key, version, etag, meaning }: Wanted,
  signal?: AbortSignal,
  from?: { at: number; etag: string | undefined },
): Promise<Transfer> {
  const rest =
    from !== undefined && from.at > 0 ? { Range: `bytes=${from.at}-`, IfMatch: from.etag } : { IfMatch: etag }
  const object = new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: version, ...rest })
  try {
    const answer = await ask(() => client.send(object, signal && { abortSignal: signal }))
    const { Body, ContentLength = Number.NaN, ETag } = answer
    return { body: Body as Readable, bytes: (from?.at ?? 0) + ContentLength, etag: ETag }
  } catch (error) {
    throw meaning(error)
  }
}

/** All bytes of an object, or an error: never fewer. */
export async function* whole(
  store: Store,
  wanted: Wanted,
  first: Transfer,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let transfer = first
  let at = 0
  let breaks = 0
  let since = 0
  for (;;) {
    try {
      for await (const chunk of transfer.body as AsyncIterable<Uint8Array>) {
        at += chunk.byteLength
        yield chunk
      }
      if (at === first.bytes) return
      throw Object.assign(new Error(`${at} of ${first.bytes} bytes came`), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
    } catch (error) {
      signal?.throwIfAborted()
      breaks = at - since < nextToNothing ? breaks + 1 : 1
      since = at
      if (breaks > mostBreaks) throw translate(error, store)
      store.log?.debug({ err: error, key: wanted.key, at }, 'a transfer broke off and goes on')
    } finally {
      transfer.body.destroy()
    }
    await sleep(pauseMs * 2 ** (breaks - 1), undefined, signal && { signal })
    transfer = await begin(store, wanted, signal, { at, etag: first.etag })
  }
}

/** The same as a stream, which may be destroyed before it is read. */
export function streamOf(store: Store, wanted: Wanted, first: Transfer, signal?: AbortSignal): Readable {
  // Chunk by chunk: as a stream of bytes it would copy together what it holds, and leave the chunks behind.
  const stream = Readable.from(whole(store, wanted, first, signal), { objectMode: true, highWaterMark: ahead })
  // Of a stream that is destroyed before it is read, nothing of the generator runs.
  stream.once('close', () => first.body.destroy())
  return stream
}

/** Whether an error says that the object is another than the one that was asked for. */
export function isOther(error: unknown): boolean {
  return codeOf(error instanceof Error && error.cause !== undefined ? error.cause : error) === 'PreconditionFailed'
}
