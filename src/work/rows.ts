/**
 * A process that writes rows to stdout as tabbed text: those of an output whose format is `records`, and whose file is
 * named by its only argument. Like the child it knows no secret. When nobody reads on, it ends.
 */
import { appendFile } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Kernel } from '../csv/kernel/kernel.ts'
import { passRecords } from '../csv/passage.ts'
import type { Passages } from '../engine/pass.ts'

const stdout = 1
const append: (descriptor: number, bytes: Uint8Array) => Promise<void> = promisify(appendFile)
// Whoever wants no more ends this process.
const { signal } = new AbortController()

const { passages, scan } = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Passages
const kernel = await Kernel.load()
for (const passage of passages) {
  const found = await passRecords(passage, kernel, (bytes) => append(stdout, bytes), scan !== undefined, signal)
  if (scan !== undefined) await writeFile(scan, JSON.stringify(found))
}
