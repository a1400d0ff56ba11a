import { AppError } from '../errors.ts'
import { type FileOutput, type OutputFormat, outputFormats, resultKey } from '../model.ts'
import type { Blobs, Delivery, DeliveryId, FileSink } from '../ports.ts'
import { allInserted, balanceOf } from './tables.ts'

/** Files to download: blobs, which the task's end makes known. */
export function resultsSink(blobs: Blobs): FileSink {
  return { kind: 'files', begin: async (id, attempt) => deliver(blobs, id, attempt) }
}

function deliver(blobs: Blobs, { task, output: name }: DeliveryId, attempt: number): Delivery {
  let stored: FileOutput | undefined
  let committed = false
  return {
    delivered: undefined,
    async write({ open, format, rows }, { signal }) {
      const known = formatOf(format)
      const blob = resultKey(task, attempt, `${name}.${known}`)
      stored = { name, format: known, rows, blob, ...(await blobs.put(blob, open(signal), { signal })) }
      return balanceOf(allInserted(rows))
    },
    async commit() {
      if (stored === undefined) throw new Error(`output ${name} is committed before it is written`)
      committed = true
      return { balance: balanceOf(allInserted(stored.rows)), output: stored }
    },
    async [Symbol.asyncDispose]() {
      if (stored !== undefined && !committed) await blobs.delete(stored.blob)
    },
  }
}

function formatOf(format: string): OutputFormat {
  const known = outputFormats.find((one) => one === format)
  if (known !== undefined) return known
  throw new AppError('internal', 'Internal error', { cause: new Error(`no file to download is ${format}`) })
}
