import { mkdir, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { AppError, asAppError, errnoOf } from '../errors.ts'

/**
 * Writes what comes to the file that the user named.
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
  await pipeline(source, file.createWriteStream(), { signal })
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
