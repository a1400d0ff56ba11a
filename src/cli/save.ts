import { mkdir } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Draft, unwritable } from './draft.ts'

/**
 * Writes what comes to the file that the user named, once it is whole.
 * @throws {AppError} invalid, when it cannot be written there.
 */
export async function save(
  source: NodeJS.ReadableStream | AsyncIterable<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await using draft = await Draft.open(path)
  const write = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) await draft.write(chunk)
  }
  await pipeline(source, write, { signal })
  await draft.keep()
}

/** @throws {AppError} invalid */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw unwritable(path, error)
  }
}
