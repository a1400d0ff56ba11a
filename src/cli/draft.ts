import { randomUUID } from 'node:crypto'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError, asAppError, errnoOf } from '../errors.ts'

/**
 * A file in the making, beside the place that the user named. It takes that place when it is kept, and never before, so
 * that nothing broken off can pass for the whole. A device or a pipe is written to at once.
 */
export class Draft implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #path: string
  /** Where it is written until then; undefined when that is the place itself. */
  readonly #draft: string | undefined
  #open = true

  private constructor(file: FileHandle, path: string, draft: string | undefined) {
    this.#file = file
    this.#path = path
    this.#draft = draft
  }

  /** @throws {AppError} invalid, when it cannot be written there. */
  static async open(named: string): Promise<Draft> {
    try {
      const path = await resolved(named)
      const there = await stat(path).catch(() => undefined)
      if (there?.isFile() === false) return new Draft(await open(path, 'w'), path, undefined)
      const draft = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}`)
      return new Draft(await open(draft, 'wx'), path, draft)
    } catch (error) {
      throw unwritable(named, error)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes)
  }

  async keep(): Promise<void> {
    this.#open = false
    await this.#file.close()
    if (this.#draft !== undefined) await rename(this.#draft, this.#path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#file.close()
    if (this.#draft !== undefined) await rm(this.#draft, { force: true })
  }
}

/** @throws {AppError} invalid or full: why it cannot be written there. */
export function unwritable(path: string, cause: unknown): AppError {
  const known = asAppError(cause)
  if (known.code !== 'internal') return known
  return new AppError('invalid', `${path} cannot be written (${errnoOf(cause)}). Choose another place.`, { cause })
}

/** A link is followed, so that it stays a link. */
async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return path
    throw error
  }
}
