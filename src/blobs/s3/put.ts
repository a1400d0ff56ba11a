/** Stores a stream: a small one with one request, a larger one part by part. */
import { createHash, randomUUID } from 'node:crypto'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { interruptible } from '../../interruptible.ts'
import type { Blobs } from '../../ports.ts'
import { release } from '../../release.ts'
import { checkKey, taken } from '../keys.ts'
import { limited } from '../limited.ts'
import type { Store } from './client.ts'
import { markName, type Putting, refuseTaken, settled } from './mark.ts'
import { putParts } from './multipart.ts'
import { inPieces, type Piece } from './parts.ts'

type PutOptions = NonNullable<Parameters<Blobs['put']>[2]>

/** @param arriving keys on their way: a second `put` of one in this process is refused before either is there. */
export async function put(
  store: Store,
  arriving: Set<string>,
  key: string,
  source: AsyncIterable<Uint8Array>,
  { maxBytes, signal }: PutOptions,
): Promise<{ bytes: number; sha256: string }> {
  checkKey(key)
  if (arriving.has(key)) throw taken(key)
  arriving.add(key)
  try {
    const putting = { store, key, mark: { [markName]: randomUUID() } }
    await refuseTaken(putting)
    return await write(
      putting,
      limited(signal === undefined ? source : interruptible(source, signal), maxBytes),
      signal,
    )
  } finally {
    arriving.delete(key)
  }
}

async function write(putting: Putting, source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
  const hash = createHash('sha256')
  let bytes = 0
  async function* counted() {
    for await (const chunk of source) {
      hash.update(chunk)
      bytes += chunk.byteLength
      yield chunk
    }
  }
  const pool: ArrayBuffer[] = []
  try {
    const pieces = inPieces(counted(), putting.store.partBytes, pool)
    const first = await pieces.next()
    const second = await pieces.next()
    if (first.done === true || second.done === true) await putWhole(putting, first.value as Piece, pool)
    else await putParts(putting, startingWith([first.value, second.value], pieces), pool, signal)
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    for (const memory of pool) release(new Uint8Array(memory))
  }
}

async function* startingWith(some: readonly Piece[], rest: AsyncIterable<Piece>): AsyncGenerator<Piece> {
  yield* some
  yield* rest
}

/** Not to be interrupted: all bytes are here, and what becomes of a request that is cut off nobody knows. */
async function putWhole(putting: Putting, { bytes, md5 }: Piece, pool: ArrayBuffer[]): Promise<void> {
  const { store, key, mark } = putting
  const object = { Bucket: store.bucket, Key: store.keyOf(key), Body: bytes, ContentMD5: md5, Metadata: mark }
  await settled(putting, () => store.client.send(new PutObjectCommand({ ...object, IfNoneMatch: '*' })))
  pool.push(bytes.buffer as ArrayBuffer)
}
