/** A file to be sent: what it was when it was looked at, and its bytes as long as it is that. */
import { createHash } from 'node:crypto'
import { access, constants, type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { AppError, errnoOf } from '../../errors.ts'

export interface Source {
  /** As the user wrote it. */
  readonly path: string
  readonly name: string
  /** Without links and dots: the same for one file, whoever names it how. */
  readonly real: string
  /** Bytes; null for a pipe, which can be read once only. */
  readonly size: number | null
  /** Another one when the file has changed: its size, and when it was last written to. */
  readonly stamp: string
}

export interface OpenSource extends AsyncDisposable {
  /**
   * Its bytes from one place to another; the last of them come only if the file is still what it was.
   * @throws {AppError} invalid, when it is not, or cannot be read.
   */
  bytes(from?: number, to?: number): AsyncGenerator<Buffer>
  /** What these bytes hash to, as SHA-256 in hex. `onBytes` is told of every few. */
  sha256(from: number, to: number, onBytes?: (bytes: number) => void): Promise<string>
}

const chunkBytes = 1 << 18

/** @throws {AppError} not_found, invalid (it is a directory, or may not be read) */
export async function lookAt(path: string): Promise<Source> {
  const found = await asked(path, async () => {
    const stats = await stat(path, { bigint: true })
    await access(path, constants.R_OK)
    // What a pipe's name leads to is no path.
    return { stats, real: stats.isFile() ? await realpath(path) : resolve(path) }
  })
  const { stats, real } = found
  if (stats.isDirectory()) throw new AppError('invalid', `${path} is a directory. Give the files in it.`)
  const size = stats.isFile() ? Number(stats.size) : null
  return { path, name: basename(path), real, size, stamp: stampOf(stats) }
}

/** @throws {AppError} invalid, when it is not what it was. */
export async function openSource(source: Source): Promise<OpenSource> {
  const { path, size, stamp } = source
  const handle = await asked(path, () => open(path))

  async function refuseChanged(): Promise<void> {
    const now = await asked(path, () => handle.stat({ bigint: true }))
    if (stampOf(now) !== stamp) throw changed(path)
  }

  async function* range(from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, to - at))
      const { bytesRead } = await asked(path, () => handle.read(chunk, 0, chunk.length, at))
      at += bytesRead
      if (bytesRead === 0) throw changed(path)
      if (at === to) await refuseChanged()
      yield chunk.subarray(0, bytesRead)
    }
  }

  const opened: OpenSource = {
    bytes: (from = 0, to = size ?? 0) => (size === null ? wholePipe(handle) : range(from, to)),
    async sha256(from, to, onBytes = () => {}) {
      const hash = createHash('sha256')
      for await (const chunk of range(from, to)) {
        hash.update(chunk)
        onBytes(chunk.length)
      }
      return hash.digest('hex')
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
  try {
    if (size !== null) await refuseChanged()
    return opened
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function* wholePipe(handle: FileHandle): AsyncGenerator<Buffer> {
  for await (const chunk of handle.createReadStream({ highWaterMark: chunkBytes, autoClose: false })) {
    yield chunk as Buffer
  }
}

function stampOf({ size, mtimeNs }: { readonly size: bigint; readonly mtimeNs: bigint }): string {
  return `${size}:${mtimeNs}`
}

/** Asks the file system, and says of which file it has refused something. */
async function asked<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined || cause instanceof AppError) throw cause
    if (errno === 'ENOENT') throw new AppError('not_found', `There is no file ${path}. Check the path.`, { cause })
    throw new AppError('invalid', `${path} cannot be read (${errno}).`, { cause })
  }
}

function changed(path: string): AppError {
  return new AppError('invalid', `${path} has changed while it was sent. Send it again once it is whole.`)
}
