import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/**
 * The SHA-256 of each file, in hex, found out by a thread of its own: one that is otherwise busy for as long as that
 * takes keeps nobody waiting.
 */
export async function digestsOf(paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  const worker = new Worker(new URL('digest-worker.ts', import.meta.url), { workerData: paths })
  try {
    const [digests] = (await once(worker, 'message', { signal })) as [string[]]
    return digests
  } finally {
    await worker.terminate()
  }
}
