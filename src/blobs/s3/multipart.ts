/** Multipart uploads: a part travels while the next one comes in, and nothing can be seen before all are there. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { AppError } from '../../errors.ts'
import { type Putting, refuseTaken, settled } from './mark.ts'
import { type Piece, mostParts } from './parts.ts'

/** Parts that travel at once, while one more is being filled. */
const inFlight = 2

interface Part {
  readonly PartNumber: number
  readonly ETag: string | undefined
}

/**
 * Stores the pieces as one object.
 * @param pool takes the buffers back whose parts have arrived.
 * @throws whatever the source or the signal throws; the upload is aborted then.
 */
export async function putParts(
  putting: Putting,
  pieces: AsyncIterable<Piece>,
  pool: ArrayBuffer[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { store, key, mark } = putting
  const object = { Bucket: store.bucket, Key: store.keyOf(key) }
  const begun = new CreateMultipartUploadCommand({ ...object, Metadata: mark })
  const { UploadId } = await store.ask(() => store.client.send(begun))
  const upload = { ...object, UploadId }
  const stop = new AbortController()
  const travelling: Promise<Part>[] = []
  try {
    const parts: Part[] = []
    for await (const piece of pieces) {
      if (travelling.length === inFlight) parts.push(await (travelling.shift() as Promise<Part>))
      const sent = send(piece, parts.length + travelling.length + 1)
      // Nobody may be waiting for it when it fails; whoever does later is told.
      sent.catch(() => {})
      travelling.push(sent)
    }
    parts.push(...(await Promise.all(travelling)))
    signal?.throwIfAborted()
    await refuseTaken(putting)
    const whole = { ...upload, MultipartUpload: { Parts: parts }, IfNoneMatch: '*' }
    await settled(putting, () => store.client.send(new CompleteMultipartUploadCommand(whole)))
  } catch (error) {
    // A part that arrives after the end would stay.
    stop.abort()
    await Promise.allSettled(travelling)
    const end = new AbortMultipartUploadCommand(upload)
    // A store that fails here as well leaves it to the janitor; the first error is the one to tell.
    await store.client.send(end).catch((err: unknown) => store.log?.warn({ err, key }, 'an upload was not aborted'))
    throw error
  }

  async function send({ bytes, md5 }: Piece, n: number): Promise<Part> {
    if (n > mostParts) throw new AppError('too_large', `It is larger than S3 takes in ${mostParts} parts.`)
    const part = new UploadPartCommand({ ...upload, PartNumber: n, Body: bytes, ContentMD5: md5 })
    const { ETag } = await store.ask(() => store.client.send(part, { abortSignal: stop.signal }))
    pool.push(bytes.buffer as ArrayBuffer)
    return { PartNumber: n, ETag }
  }
}
