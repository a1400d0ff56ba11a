/** The file that everything is measured on: made up by Rowmill's own generator, and kept for the next time. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchContext } from './benchmark.ts'
import { plainEnv } from './measure.ts'

/** The command, as a user runs it. */
export const launcher = fileURLToPath(new URL('../rowmill', import.meta.url))

const seed = 1

export interface PlaysFile {
  readonly path: string
  readonly bytes: number
}

/** The file of so many rows, in the page cache as far as it fits. */
export async function playsFile(rows: number, { signal, say }: BenchContext): Promise<PlaysFile> {
  const folder = join(tmpdir(), 'rowmill-bench')
  const path = join(folder, `plays-${rows}-${seed}.csv`)
  if (!existsSync(path)) {
    say(`Generating ${path} …`)
    await mkdir(folder, { recursive: true })
    const draft = `${path}.${process.pid}`
    try {
      await generate(rows, draft, signal)
      await rename(draft, path)
    } finally {
      await rm(draft, { force: true })
    }
  }
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }))
    bytes += (chunk as Buffer).length
  return { path, bytes }
}

async function generate(rows: number, path: string, signal: AbortSignal): Promise<void> {
  const args = ['generate', 'plays', '--rows', String(rows), '--seed', String(seed), '-o', path]
  const child = spawn(launcher, args, { env: plainEnv(), stdio: ['ignore', 'inherit', 'inherit'], signal })
  await once(child, 'exit')
  if (child.exitCode !== 0) throw new Error(`rowmill generate has failed (${child.exitCode ?? child.signalCode}).`)
}
