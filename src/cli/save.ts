import { pipeline } from 'node:stream/promises'
import { makePath } from '../durable.ts'
import { Draft, unwritable } from './draft.ts'

type Source = NodeJS.ReadableStream | AsyncIterable<Uint8Array>

export interface Saved {
  readonly path: string
  readonly open: () => Source
}

/**
 * Writes what comes to the file that the user named, once it is whole.
 * @throws {AppError} invalid or full, when it cannot be written there.
 */
export async function save(source: Source, path: string, signal: AbortSignal): Promise<void> {
  await saveAll([{ path, open: () => source }], signal)
}

/** The same for files that belong together: none takes its place before all are whole. */
export async function saveAll(files: readonly Saved[], signal: AbortSignal): Promise<void> {
  await using drafts = new AsyncDisposableStack()
  const whole: Draft[] = []
  for (const { path, open } of files) {
    const draft = drafts.use(await Draft.open(path))
    const write = async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) await draft.write(chunk)
    }
    await pipeline(open(), write, { signal })
    whole.push(draft)
  }
  for (const draft of whole) await draft.keep()
}

/** @throws {AppError} invalid or full */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makePath(path)
  } catch (error) {
    throw unwritable(path, error)
  }
}
