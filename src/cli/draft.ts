import { randomUUID } from 'node:crypto'
import { appendFile, constants } from 'node:fs'
import { access, type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { once } from 'node:events'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { AppError, errnoOf, isDiskFull } from '../errors.ts'
import type { Context } from './context.ts'
import { descriptorOf, isOwn, leadsToFile } from './places.ts'

/** What takes the bytes. */
interface Outlet {
  append(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

const appendTo: (descriptor: number, bytes: Uint8Array) => Promise<void> = promisify(appendFile)

/**
 * A file in the making, beside the place that the user named. It takes that place when it is kept, and never before, so
 * that nothing broken off can pass for the whole. What is no file, or is open already, is written to at once.
 */
export class Draft implements AsyncDisposable {
  readonly #outlet: Outlet
  readonly #named: string
  /** Where it is written until it is kept; undefined when that is the place itself. */
  readonly #draft: { readonly path: string; readonly target: string } | undefined
  #kept = false

  private constructor(named: string, outlet: Outlet, draft?: { path: string; target: string }) {
    this.#named = named
    this.#outlet = outlet
    this.#draft = draft
  }

  /** @throws {AppError} invalid or full, when it cannot be written there. */
  static async open(named: string): Promise<Draft> {
    try {
      const descriptor = await descriptorOf(named)
      if (descriptor !== undefined) {
        if (await isOwn(descriptor)) throw notOpen(named)
        // Opened anew, a file would be emptied, or replaced.
        const isFile = await leadsToFile(descriptor)
        return new Draft(named, isFile ? openOutlet(descriptor) : fileOutlet(await open(named, 'w')))
      }
      const target = await resolved(named)
      const there = await stat(target).catch(() => undefined)
      if (there?.isFile() === false) return new Draft(named, fileOutlet(await open(target, 'w')))
      // What may not be written to may not be replaced either.
      if (there !== undefined) await access(target, constants.W_OK)
      const path = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}`)
      const file = await open(path, 'wx')
      if (there !== undefined) await file.chmod(there.mode)
      return new Draft(named, fileOutlet(file), { path, target })
    } catch (error) {
      throw unwritable(named, error)
    }
  }

  /** Standard output in place of a file. */
  static ofStandardOutput(context: Pick<Context, 'stdout' | 'signal'>): Draft {
    return new Draft('Standard output', streamOutlet(context))
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#outlet.append(bytes)
    } catch (error) {
      throw unwritable(this.#named, error)
    }
  }

  async keep(): Promise<void> {
    try {
      await this.#outlet.close()
      if (this.#draft !== undefined) await rename(this.#draft.path, this.#draft.target)
    } catch (error) {
      throw unwritable(this.#named, error)
    }
    this.#kept = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#kept) return
    // What is thrown away need not be whole.
    await this.#outlet.close().catch(() => {})
    if (this.#draft !== undefined) await rm(this.#draft.path, { force: true })
  }
}

function fileOutlet(file: FileHandle): Outlet {
  return { append: (bytes) => file.appendFile(bytes), close: () => file.close() }
}

/** Goes on where the descriptor stands, and leaves it open to whoever else writes there. */
function openOutlet(descriptor: number): Outlet {
  return { append: (bytes) => appendTo(descriptor, bytes), close: async () => {} }
}

/** A pipe that is full is waited for. */
function streamOutlet({ stdout, signal }: Pick<Context, 'stdout' | 'signal'>): Outlet {
  return {
    async append(bytes) {
      // The stream may hold on to what it is given.
      if (!stdout.write(Buffer.from(bytes))) await once(stdout, 'drain', { signal })
    },
    close: async () => {},
  }
}

/** The error to tell where that is why something cannot be written; an interrupt, or a pipe that broke, as it is. */
export function unwritable(place: string, cause: unknown): unknown {
  const errno = errnoOf(cause)
  if (cause instanceof AppError || errno === undefined || errno === 'ABORT_ERR' || errno === 'EPIPE') return cause
  const [why, advice] = isDiskFull(cause) ? ['its disk is full', 'Free some space there, or choose'] : [errno, 'Choose']
  const message = `${place} cannot be written (${why}). ${advice} another place.`
  return new AppError(isDiskFull(cause) ? 'full' : 'invalid', message, { cause })
}

function notOpen(place: string): AppError {
  const advice = 'Open it in the shell, as in `3>file`, or choose another place.'
  return new AppError('invalid', `${place} cannot be written: nothing is open there. ${advice}`)
}

/** A link is followed, also to what is not there yet, so that it stays a link. */
async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    const target = await readlink(path).catch(() => undefined)
    return target === undefined ? path : await resolved(resolve(dirname(path), target))
  }
}
