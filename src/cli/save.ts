import { mkdir, open, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { AppError, asAppError, errnoOf } from '../errors.ts'

/**
 * Writes what comes to the file that the user named. Of what breaks off nothing is left that could pass for the whole.
 * @throws {AppError} invalid, when it cannot be written there.
 */
export async function save(
  source: NodeJS.ReadableStream | AsyncIterable<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, 'w').catch((error: unknown) => {
    throw unwritable(path, error)
  })
  // The user may have named a device, which is not ours to remove.
  const isFile = (await file.stat()).isFile()
  try {
    await pipeline(source, file.createWriteStream(), { signal })
  } catch (error) {
    if (isFile) await rm(path, { force: true })
    throw error
  }
}

/** @throws {AppError} invalid */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw unwritable(path, error)
  }
}

function unwritable(path: string, cause: unknown): AppError {
  const known = asAppError(cause)
  if (known.code !== 'internal') return known
  return new AppError('invalid', `${path} cannot be written (${errnoOf(cause)}). Choose another place.`, { cause })
}
