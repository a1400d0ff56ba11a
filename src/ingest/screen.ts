/** Looks at what comes in before it is queued: what is plainly no table is refused at the door. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { zipMember } from '../csv/zip.ts'
import { isZip, refuseNoText } from '../csv/door.ts'
import { newId } from '../ids.ts'
import type { Part, Upload } from '../model.ts'
import type { IngestDeps } from './deps.ts'
import type { Storage } from './storage.ts'

/** As much of a beginning as is looked at. */
export const lookedAt = 64 << 10

/**
 * The bytes as they are, unless their beginning is that of something else than a table.
 * @throws {AppError} rejected, through the stream
 */
export async function* screened(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let start: Buffer | undefined = Buffer.alloc(0)
  let broken: unknown
  const iterator = source[Symbol.asyncIterator]()
  // What has come before it broke off is kept, so it is looked at and handed on like the rest.
  const next = async () => {
    try {
      return await iterator.next()
    } catch (error) {
      broken = error
      return undefined
    }
  }
  try {
    for (let got = await next(); got !== undefined && got.done !== true; got = await next()) {
      if (start === undefined) {
        yield got.value
        continue
      }
      start = Buffer.concat([start, got.value])
      if (start.length < lookedAt) continue
      await refuseNoText(start, name)
      yield start
      start = undefined
    }
    if (start !== undefined && start.length > 0) {
      await refuseNoText(start, name)
      yield start
    }
    if (broken !== undefined) throw broken as Error
  } finally {
    await iterator.return?.()
  }
}

/**
 * Looks into an archive by its own directory: one file that is not more than it may be.
 * @throws {AppError} rejected, too_large, full, unavailable
 */
export async function screenArchive(
  { blobs, limits, scratch }: Pick<IngestDeps, 'blobs' | 'limits' | 'scratch'>,
  { admit }: Pick<Storage, 'admit'>,
  { name }: Pick<Upload, 'name'>,
  parts: readonly Pick<Part, 'blob' | 'bytes'>[],
): Promise<void> {
  const [first] = parts
  if (first === undefined || !isZip(await startOf(blobs, first.blob, 4))) return
  // Several have to be copied together.
  if (parts.length > 1) await admit(0, sumOf(parts))
  const path = join(scratch, newId())
  await mkdir(scratch, { recursive: true })
  try {
    const blob = parts.map((part) => part.blob)
    const tooLong = new AppError(
      'unavailable',
      `${name} could not be fetched in time to look into it. Complete it again.`,
    )
    await blobs.fetch(blob, path, AbortSignal.timeout(fetchMs)).catch((cause: unknown) => {
      throw cause instanceof DOMException ? tooLong : cause
    })
    const { bytes } = await zipMember(path, name)
    if (bytes <= limits.maxUnpacked) return
    throw new AppError(
      'too_large',
      `${name} unpacks to ${bytes} bytes; ${limits.maxUnpacked} are the most (ROWMILL_MAX_UNPACKED). Split the file.`,
    )
  } finally {
    await rm(path, { force: true })
  }
}

function sumOf(parts: readonly Pick<Part, 'bytes'>[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Where blobs are far away. */
const fetchMs = 600_000

export async function startOf(blobs: IngestDeps['blobs'], key: string, most: number): Promise<Buffer> {
  const stream = await blobs.read(key)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= most) break
  }
  return Buffer.concat(chunks).subarray(0, most)
}
