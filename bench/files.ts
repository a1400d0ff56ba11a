/** The files that everything is measured on: made up once, and kept in the folder for temporary files. */
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import type { BenchContext } from './benchmark.ts'

export interface BenchFile {
  readonly path: string
  readonly bytes: number
  /** UTF-16 code units of its text, which is what a JavaScript string's length counts. */
  readonly units: number
}

/** The file of that name, in the page cache as far as it fits; `make` writes it where there is none yet. */
export async function keptFile(
  name: string,
  make: (path: string) => Promise<void>,
  { signal, say }: BenchContext,
): Promise<BenchFile> {
  const folder = join(tmpdir(), 'rowmill-bench')
  const path = join(folder, name)
  if (!existsSync(path)) {
    say(`Generating ${path} …`)
    await mkdir(folder, { recursive: true })
    const draft = `${path}.${process.pid}`
    try {
      await make(draft)
      await rename(draft, path)
    } finally {
      await rm(draft, { force: true })
    }
  }
  return await readThrough(path, signal)
}

/** Reads a file once, so that whoever comes next has it from memory. */
export async function readThrough(path: string, signal: AbortSignal): Promise<BenchFile> {
  const decoder = new StringDecoder('utf8')
  let bytes = 0
  let units = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    bytes += (chunk as Buffer).length
    units += decoder.write(chunk as Buffer).length
  }
  return { path, bytes, units: units + decoder.end().length }
}
