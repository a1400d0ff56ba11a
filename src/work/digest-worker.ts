/** The thread of `digests.ts`: says what the bytes of each file hash to. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Digest, ToDigest } from './digests.ts'

const buffer = Buffer.alloc(1 << 20)

function digestOf({ path, stretches = [] }: ToDigest): Digest {
  const whole = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    const hashes = stretches.map((bytes) => {
      const hash = createHash('sha256')
      read(file, bytes, [whole, hash])
      return hash.digest('hex')
    })
    read(file, Number.POSITIVE_INFINITY, [whole])
    return { sha256: whole.digest('hex'), stretches: hashes }
  } finally {
    closeSync(file)
  }
}

function read(file: number, bytes: number, hashes: readonly Hash[]): void {
  for (let left = bytes; left > 0; ) {
    const got = readSync(file, buffer, 0, Math.min(left, buffer.length), null)
    if (got === 0) return
    for (const hash of hashes) hash.update(buffer.subarray(0, got))
    left -= got
  }
}

parentPort?.postMessage((workerData as readonly ToDigest[]).map(digestOf), [])
