/** Reads blobs whole. */
import { open, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { interruptible } from '../../interruptible.ts'
import { releasing } from '../../release.ts'
import { absent, checkKey } from '../keys.ts'
import { inLargeChunks } from '../large-chunks.ts'
import { translateLocal } from '../local-errors.ts'
import { isAbsent, type Store } from './client.ts'
import { begin, streamOf, type Wanted, whole } from './transfer.ts'

/** @throws {AppError} not_found */
export async function read(store: Store, key: string): Promise<Readable> {
  checkKey(key)
  const wanted = wantedOf(store, key)
  return streamOf(store, wanted, await begin(store, wanted))
}

/** As `Blobs.fetch`. */
export async function fetch(store: Store, keys: readonly string[], path: string, signal: AbortSignal): Promise<void> {
  for (const key of keys) checkKey(key)
  signal.throwIfAborted()
  const file = await open(path, 'wx').catch((error: unknown) => {
    throw translateLocal(error, path)
  })
  async function* bytes() {
    for (const key of keys) {
      const wanted = wantedOf(store, key)
      yield* whole(store, wanted, await begin(store, wanted, signal), signal)
    }
  }
  try {
    await using _ = file
    // Written one after another, so that no more than two are held: a stream would hold many, and leave them behind.
    for await (const chunk of inLargeChunks(releasing(interruptible(bytes(), signal)))) await file.writeFile(chunk)
  } catch (error) {
    await rm(path, { force: true })
    throw signal.aborted ? (signal.reason as Error) : translateLocal(error, path)
  }
}

function wantedOf({ keyOf }: Store, key: string): Wanted {
  return { key: keyOf(key), meaning: (error) => (isAbsent(error) ? absent(key, error) : error) }
}
