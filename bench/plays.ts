/** Song plays, made up by Rowmill's own generator. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { BenchContext } from './benchmark.ts'
import { type BenchFile, keptFile } from './files.ts'
import { plainEnv } from './measure.ts'

/** The command, as a user runs it. */
export const launcher = fileURLToPath(new URL('../rowmill', import.meta.url))

/** About as many as a megabyte holds. */
export const playsPerMegabyte = 28_000

const seed = 1

export async function playsFile(rows: number, context: BenchContext): Promise<BenchFile> {
  return await keptFile(`plays-${rows}-${seed}.csv`, (path) => generate(rows, path, context.signal), context)
}

async function generate(rows: number, path: string, signal: AbortSignal): Promise<void> {
  const args = ['generate', 'plays', '--rows', String(rows), '--seed', String(seed), '-o', path]
  const child = spawn(launcher, args, { env: plainEnv(), stdio: ['ignore', 'inherit', 'inherit'], signal })
  await once(child, 'exit')
  if (child.exitCode !== 0) throw new Error(`rowmill generate has failed (${child.exitCode ?? child.signalCode}).`)
}
