/** Bytes as they came → the bytes that were meant: what is compressed is unpacked, whole and checked, or refused. */
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, crc32, createGunzip, createInflateRaw, createZstdDecompress } from 'node:zlib'
import { AppError, errnoOf } from '../errors.ts'
import { refused } from './refused.ts'
import { openTarget } from './target.ts'
import { trailingBytes } from './text/blocks.ts'
import { zipMember } from './zip.ts'
import { ZstdDamage, zstdFrames } from './zstd.ts'

export type Compression = 'none' | 'gzip' | 'zstd' | 'zip'

export interface UnpackOptions {
  /** What to call the file in messages. */
  readonly name: string
  /** Bytes it may unpack to. */
  readonly most: number
  readonly signal: AbortSignal
  /** Told how many bytes of the source have been read. */
  readonly onProgress: (bytes: number) => void
}

export interface Unpacked {
  /** The source itself when it is not compressed, else the target. */
  readonly path: string
  readonly compression: Compression
  readonly bytes: number
}

const chunkBytes = 256 << 10

/** More zeros than a gzip member ends in by itself: those of its checksum, its length, and before them. */
const mostPadding = 64

/**
 * Makes the file readable where it is compressed with gzip (also several members, and zeros behind the last, with which
 * tapes fill up their blocks), zstd (also several frames) or zip (one file), told by its first bytes and never by its
 * name. The result may be compressed once more: `refuseForeign`.
 * @throws {AppError} rejected, when the data is cut off, damaged, or followed by what does not belong to it; too_large.
 *   Nothing is left at the target then, nor when the signal ends it.
 */
export async function unpack(path: string, target: string, options: UnpackOptions): Promise<Unpacked> {
  const compression = await compressionOf(path)
  const packedBytes = (await stat(path)).size
  if (compression === 'none') return { path, compression, bytes: packedBytes }
  try {
    const whole = compression === 'gzip' ? await unpadded(path, packedBytes) : { start: 0, packedBytes }
    const bytes =
      compression === 'zip'
        ? await unpackZip(path, target, options)
        : await unpackStream(path, target, compression, whole, options)
    return { path: target, compression, bytes }
  } catch (error) {
    await rm(target, { force: true })
    if (options.signal.aborted) throw options.signal.reason
    throw translate(error, compression, options)
  }
}

/** By the first bytes. */
export async function compressionOf(path: string): Promise<Compression> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
  const start = buffer.toString('hex', 0, bytesRead)
  if (start.startsWith('1f8b')) return 'gzip'
  if (start === '28b52ffd' || /^5.2a4d18$/.test(start)) return 'zstd'
  return /^504b(0304|0506|0708)$/.test(start) ? 'zip' : 'none'
}

/** Without the zeros at its end, but for so many of them as may be its own. */
async function unpadded(path: string, packedBytes: number): Promise<Stretch> {
  const zeros = await trailingBytes(path, 0)
  const padding = Math.min(zeros, mostPadding)
  return { start: 0, packedBytes: packedBytes - zeros + padding, padding }
}

async function unpackZip(path: string, target: string, options: UnpackOptions): Promise<number> {
  const member = await zipMember(path, options.name)
  if (member.bytes > options.most) throw tooLarge(options)
  return await unpackStream(path, target, member.deflated ? 'deflate' : 'stored', member, options)
}

interface Stretch {
  readonly start: number
  readonly packedBytes: number
  /** How many of them, the last ones, may be none of the data. */
  readonly padding?: number
  /** What it must unpack to, where that is written down apart from the data. */
  readonly bytes?: number
  readonly crc32?: number
}

const engines = {
  gzip: () => createGunzip({ chunkSize: chunkBytes }),
  // Up to 128 MiB of window, which is what the format's own tool takes unasked.
  zstd: () => createZstdDecompress({ chunkSize: chunkBytes, params: { [constants.ZSTD_d_windowLogMax]: 27 } }),
  deflate: () => createInflateRaw({ chunkSize: chunkBytes }),
  stored: () => new PassThrough(),
}

async function unpackStream(
  path: string,
  target: string,
  method: keyof typeof engines,
  stretch: Stretch,
  options: UnpackOptions,
): Promise<number> {
  const engine = engines[method]()
  const { start, packedBytes, padding = 0 } = stretch
  const end = start + packedBytes
  let bytes = 0
  let sum = 0

  async function* packed(): AsyncGenerator<Buffer> {
    // An engine ends in good order with a chunk in which it has found the end, and not before further ones.
    yield* chunks(start, end - padding)
    yield* chunks(end - padding, end)
  }

  async function* chunks(from: number, to: number): AsyncGenerator<Buffer> {
    if (to === from) return
    let at = from
    const source = createReadStream(path, { start: from, end: to - 1, highWaterMark: chunkBytes })
    for await (const chunk of source as AsyncIterable<Buffer>) {
      yield chunk
      at += chunk.length
      options.onProgress(at)
    }
    if (at < to) throw new Damage('unexpected end of file')
  }

  async function* measured(unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of unpacked) {
      bytes += chunk.length
      if (bytes > options.most) throw tooLarge(options)
      if (stretch.crc32 !== undefined) sum = crc32(chunk, sum)
      yield chunk
    }
  }

  const source = method === 'zstd' ? zstdFrames(packed()) : packed()
  await pipeline(source, engine, measured, await openTarget(target), { signal: options.signal })
  // Node's decompressors end in good order at what they do not take for theirs.
  if ('bytesWritten' in engine && engine.bytesWritten < packedBytes - padding) throw new Damage('data behind the end')
  if (stretch.bytes !== undefined && bytes !== stretch.bytes) throw new Damage('incorrect length check')
  if (stretch.crc32 !== undefined && sum !== stretch.crc32) throw new Damage('incorrect data check')
  return bytes
}

class Damage extends Error {}

/** Errors of the disk stay what they are; those of the data become the file's. */
function translate(error: unknown, compression: Compression, { name }: UnpackOptions): unknown {
  if (!(error instanceof Error) || error instanceof AppError) return error
  const code = errnoOf(error) ?? ''
  const isData = error instanceof Damage || error instanceof ZstdDamage || /^(Z_|ZSTD_|ERR_STREAM_PREMATURE)/.test(code)
  if (!isData) return error
  const kind = compression === 'zip' ? 'the file in the zip archive' : `the ${compression} data`
  if (/behind|unknown frame|header check/i.test(error.message) || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return refused(name, `there is something else behind the end of ${kind}`, 'Send it without that.', error)
  }
  if (/end of file/.test(error.message)) {
    return refused(name, `${kind} ends in the middle, so that a part is missing`, 'Send it again, whole.', error)
  }
  if (/too much memory/.test(error.message)) {
    return refused(name, `${kind} needs a window of more than 128 MiB`, 'Pack it again without --long.', error)
  }
  return refused(name, `${kind} is damaged (${error.message})`, 'Send it again from an undamaged copy.', error)
}

function tooLarge({ name, most }: UnpackOptions): AppError {
  return new AppError(
    'too_large',
    `${name} unpacks to more than ${most} bytes, which is the most (ROWMILL_MAX_UNPACKED). Send it in smaller pieces, or have the setting raised.`,
    { details: { file: name, most } },
  )
}
