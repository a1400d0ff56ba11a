import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A file, and stretches of it, one behind another, of so many bytes. */
export interface ToDigest {
  readonly path: string
  readonly stretches?: readonly number[]
}

/** SHA-256, in hex. */
export interface Digest {
  readonly sha256: string
  readonly stretches: readonly string[]
}

/**
 * What files hash to, found out by a thread of its own: one that is otherwise busy for as long as that takes keeps nobody
 * waiting.
 */
export async function digestsOf(files: readonly ToDigest[], signal: AbortSignal): Promise<Digest[]> {
  if (files.length === 0) return []
  const worker = new Worker(new URL('digest-worker.ts', import.meta.url), { workerData: files })
  try {
    const [digests] = (await once(worker, 'message', { signal })) as [Digest[]]
    return digests
  } finally {
    await worker.terminate()
  }
}
