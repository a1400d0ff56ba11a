/**
 * `node test/properties-long.ts [TIMES [SEED]]`: the tests in which fast-check tries properties, each so many times as
 * often as usual. What goes wrong is told with its seed.
 */
import { glob, readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { unscaled } from './runs.ts'

const times = Number(process.argv[2] ?? 50)
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31)

fc.configureGlobal({ numRuns: unscaled * times, seed })
process.stdout.write(`Each property ${times} times as often as usual, with seed ${seed}\n`)
const root = new URL('../', import.meta.url)
for await (const path of glob('src/**/*.test.ts', { cwd: root })) {
  const file = new URL(path, root)
  if ((await readFile(file, 'utf8')).includes('/test/runs.ts')) await import(file.href)
}
