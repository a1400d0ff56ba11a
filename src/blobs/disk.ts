/**
 * Blobs as files: each under its key's path below one folder. What is being written stands in `tmp/` beside them, on
 * the same filesystem, until all its bytes are durable; so a file under a key is always whole.
 */
import { createHash } from 'node:crypto'
import {
  access,
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { makeFolder, syncFolder } from '../durable.ts'
import { AppError, errnoOf } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import { interruptible } from '../interruptible.ts'
import type { Log } from '../log.ts'
import type { Blobs } from '../ports.ts'
import { draftName, sweepDrafts } from './drafts.ts'
import { absent, checkKey, taken } from './keys.ts'
import { inLargeChunks } from './large-chunks.ts'
import { limited } from './limited.ts'
import { translateLocal } from './local-errors.ts'

type PutOptions = NonNullable<Parameters<Blobs['put']>[2]>

const chunkBytes = 1 << 20

/** After so long without a write, a draft of a machine that cannot be asked is nobody's at opening. */
const strangersIdleMs = 3_600_000

/** Opens the folder, makes it when it is missing, and clears away what killed processes left half-written. */
export async function openDiskBlobs(root: string, { log, fail }: { log?: Log; fail?: Fail } = {}): Promise<Blobs> {
  const folder = resolve(root)
  const drafts = join(folder, 'tmp')
  /** Keys on their way: a second `put` of one in this process is refused before either is there. */
  const arriving = new Set<string>()

  /** Runs what touches the disk, and only that: what a source or a signal throws is the caller's own. */
  async function disk<T>(work: () => Promise<T>, where = folder): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translateLocal(error, where)
    }
  }

  async function put(key: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}) {
    const path = pathOf(folder, key)
    if (arriving.has(key)) throw taken(key)
    arriving.add(key)
    const draft = join(drafts, draftName())
    try {
      await disk(() => refuseTaken(path, key))
      const sum = await write(draft, source, options)
      await disk(() => publish(draft, path, key))
      return sum
    } catch (error) {
      // A disk that fails here as well leaves it to the next start; the first error is the one to tell.
      await rm(draft, { force: true }).catch((err: unknown) => log?.warn({ err, draft }, 'a draft was not removed'))
      throw error
    } finally {
      arriving.delete(key)
    }
  }

  async function write(draft: string, source: AsyncIterable<Uint8Array>, { maxBytes, signal }: PutOptions) {
    const file = await disk(async () => {
      await makeFolder(drafts)
      return await open(draft, 'wx')
    })
    try {
      fail?.('before-write')
      const hash = createHash('sha256')
      let bytes = 0
      let written: Promise<void> | undefined
      const coming = signal === undefined ? source : interruptible(source, signal)
      for await (const chunk of inLargeChunks(limited(coming, maxBytes))) {
        bytes += chunk.byteLength
        // The system writes while the hash is computed and the next chunk comes.
        await written
        written = disk(() => writeAll(file, chunk))
        written.catch(() => {})
        hash.update(chunk)
      }
      await written
      fail?.('after-write')
      await disk(() => file.sync())
      fail?.('after-sync')
      return { bytes, sha256: hash.digest('hex') }
    } finally {
      await disk(() => file.close())
    }
  }

  /** Gives a durable draft its name, and makes the name durable. */
  async function publish(draft: string, path: string, key: string) {
    await mkdir(dirname(path), { recursive: true })
    await refuseTaken(path, key)
    await rename(draft, path)
    fail?.('after-rename')
    try {
      // Every folder up to ours, not only one just made: a put beside this one may have made it and not synced it yet.
      for (let at = dirname(path); at.length >= folder.length; at = dirname(at)) await syncFolder(at)
      fail?.('after-folder-sync')
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  async function read(key: string): Promise<Readable> {
    const path = pathOf(folder, key)
    const file = await disk(() =>
      open(path).catch((error: unknown) => {
        throw errnoOf(error) === 'ENOENT' ? absent(key, error) : error
      }),
    )
    return file.createReadStream({ highWaterMark: chunkBytes })
  }

  async function fetch(keys: readonly string[], path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const [only] = keys
    if (only !== undefined && keys.length === 1 && (await linked(pathOf(folder, only), path))) return
    const file = await disk(() => open(path, 'wx'), path)
    try {
      async function* bytes() {
        for (const key of keys) yield* (await read(key)) as AsyncIterable<Uint8Array>
      }
      await pipeline(bytes, file.createWriteStream({ highWaterMark: chunkBytes }), { signal })
    } catch (error) {
      await rm(path, { force: true })
      throw signal.aborted ? (signal.reason as Error) : translateLocal(error, path)
    }
  }

  async function list(prefix: string): Promise<string[]> {
    const top = prefix === '' ? folder : pathOf(folder, prefix.replace(/\/$/, ''))
    const keyOf = (file: string) => relative(folder, file)
    const found = await disk(() => filesBelow(top))
    return found
      .map(keyOf)
      .filter((key) => !key.startsWith('tmp/'))
      .toSorted()
  }

  async function abandon(idleMs: number): Promise<number> {
    return await disk(async () => {
      await makeFolder(drafts)
      return await sweepDrafts(drafts, idleMs)
    })
  }

  const swept = await abandon(strangersIdleMs)
  if (swept > 0) log?.info({ folder, files: swept }, 'removed what was half-written when a process ended')

  return {
    put,
    read,
    fetch,
    list,
    async delete(prefix) {
      const path = pathOf(folder, prefix.replace(/\/$/, ''))
      await disk(() => rm(path, { recursive: true, force: true }))
    },
    async free() {
      return await disk(async () => {
        await makeFolder(folder)
        const { bavail, bsize } = await statfs(folder)
        return bavail * bsize
      })
    },
    abandon,
    async ping() {
      await disk(async () => {
        await makeFolder(drafts)
        await access(drafts, constants.W_OK | constants.X_OK)
      })
    },
    direct: undefined,
  }
}

/**
 * The one place where a key becomes a path.
 * @throws {AppError} internal: keys are ours, so a bad one is a fault of ours.
 */
function pathOf(folder: string, key: string): string {
  checkKey(key)
  if (/^tmp(\/|$)/.test(key)) {
    throw new AppError('internal', 'Internal error', { cause: new Error(`a key among the drafts: ${key}`) })
  }
  return join(folder, key)
}

/** Blobs never change, so one file may have two names; false where the filesystems or their rules are against it. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch {
    // Copying says better than `link` what is wrong, if it is more than that.
    return false
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, at)
    at += bytesWritten
  }
}

/** `rename` would replace what is there. */
async function refuseTaken(path: string, key: string): Promise<void> {
  if ((await stat(path).catch(ignoreAbsent)) !== undefined) throw taken(key)
}

function ignoreAbsent(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT') return undefined
  throw error
}

async function filesBelow(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return [path]
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
