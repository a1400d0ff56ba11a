/** Reads objects whole: a transfer that breaks off goes on where it broke. */
import { open, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { interruptible } from '../../interruptible.ts'
import { releasing } from '../../release.ts'
import { absent, checkKey } from '../keys.ts'
import { inLargeChunks } from '../large-chunks.ts'
import { translateLocal } from '../local-errors.ts'
import { isAbsent, type Store } from './client.ts'
import { translate } from './errors.ts'

interface Transfer {
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

/** @throws {AppError} not_found */
export async function read(store: Store, key: string): Promise<Readable> {
  checkKey(key)
  const first = await begin(store, key)
  // Chunk by chunk: as a stream of bytes it would copy together what it holds, and leave the chunks behind.
  const stream = Readable.from(whole(store, key, first), { objectMode: true, highWaterMark: ahead })
  // Of a stream that is destroyed before it is read, nothing of the generator runs.
  stream.once('close', () => first.body.destroy())
  return stream
}

/** As `Blobs.fetch`. */
export async function fetch(store: Store, keys: readonly string[], path: string, signal: AbortSignal): Promise<void> {
  for (const key of keys) checkKey(key)
  signal.throwIfAborted()
  const file = await open(path, 'wx').catch((error: unknown) => {
    throw translateLocal(error, path)
  })
  async function* bytes() {
    for (const key of keys) yield* whole(store, key, await begin(store, key, undefined, signal), signal)
  }
  try {
    await using _ = file
    // Written one after another, so that no more than two are held: a stream would hold many, and leave them behind.
    for await (const chunk of inLargeChunks(releasing(interruptible(bytes(), signal)))) await file.writeFile(chunk)
  } catch (error) {
    await rm(path, { force: true })
    throw signal.aborted ? (signal.reason as Error) : translateLocal(error, path)
  }
}

/** All bytes of an object, or an error: never fewer. */
async function* whole(
  store: Store,
  key: string,
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
      if (breaks > mostBreaks) throw translate(error, store.bucket)
      store.log?.debug({ err: error, key, at }, 'a transfer broke off and goes on')
    } finally {
      transfer.body.destroy()
    }
    await sleep(pauseMs * 2 ** (breaks - 1), undefined, signal && { signal })
    transfer = await begin(store, key, { at, etag: first.etag }, signal)
  }
}

/** @param from where to go on, in the same object: objects never change, unless it is somebody else who changes them. */
async function begin(
  store: Store,
  key: string,
  from?: { at: number; etag: string | undefined },
  signal?: AbortSignal,
): Promise<Transfer> {
  const rest = from !== undefined && from.at > 0 ? { Range: `bytes=${from.at}-`, IfMatch: from.etag } : {}
  const object = new GetObjectCommand({ Bucket: store.bucket, Key: store.keyOf(key), ...rest })
  try {
    const answer = await store.ask(() => store.client.send(object, signal && { abortSignal: signal }))
    const { Body, ContentLength = Number.NaN, ETag } = answer
    return { body: Body as Readable, bytes: (from?.at ?? 0) + ContentLength, etag: ETag }
  } catch (error) {
    throw isAbsent(error) ? absent(key, error) : error
  }
}
