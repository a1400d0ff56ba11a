/** The thread of `digests.ts`: says what the bytes of each file hash to. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

const buffer = Buffer.alloc(1 << 20)

function digestOf(path: string): string {
  const digest = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    for (let bytes = readSync(file, buffer); bytes > 0; bytes = readSync(file, buffer)) {
      digest.update(buffer.subarray(0, bytes))
    }
  } finally {
    closeSync(file)
  }
  return digest.digest('hex')
}

parentPort?.postMessage((workerData as readonly string[]).map(digestOf), [])
