import { open } from 'node:fs/promises'
import { type Output, resultKey } from '../model.ts'
import type { Blobs, Delivery, ProducedFile, Sink } from '../ports.ts'

/** Files to download: blobs, which the task's end makes known. */
export function resultsSink(blobs: Blobs): Sink {
  return { begin: async ({ task, output }, attempt) => deliver(blobs, task, output, attempt) }
}

function deliver(blobs: Blobs, task: string, name: string, attempt: number): Delivery {
  let stored: Output | undefined
  let committed = false
  return {
    async write(path, { format, rows }: ProducedFile, signal) {
      const blob = resultKey(task, attempt, `${name}.${format}`)
      await using file = await open(path)
      const source = file.createReadStream({ autoClose: false })
      stored = { name, format, rows, blob, ...(await blobs.put(blob, source, { signal })) }
    },
    async commit() {
      if (stored === undefined) throw new Error(`output ${name} is committed before it is written`)
      committed = true
      const balance = { produced: stored.rows, inserted: stored.rows, updated: 0, unchanged: 0, skipped: 0 }
      return { balance, output: stored }
    },
    async [Symbol.asyncDispose]() {
      if (stored !== undefined && !committed) await blobs.delete(stored.blob)
    },
  }
}
