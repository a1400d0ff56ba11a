import type { RunOptions } from '../ports.ts'
import type { Database } from './duckdb.ts'
import type { Source } from './relation.ts'

/** Tells twice a second how far the statement is that a call runs over these files. */
export async function withProgress<T>(
  { database, options }: { readonly database: Database; readonly options: RunOptions },
  files: readonly Source[],
  call: () => Promise<T>,
): Promise<T> {
  const total = files.reduce((rows, { reading }) => rows + reading.records, 0)
  const tell = () => {
    const { progress } = database
    if (progress === undefined) return
    options.onProgress({ phase: 'working', unit: 'rows', done: Math.floor(progress * total), total })
  }
  const timer = setInterval(tell, 500)
  try {
    return await call()
  } finally {
    clearInterval(timer)
  }
}
