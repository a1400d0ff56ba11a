/**
 * A process that writes rows to stdout as tabbed text: those of an output whose format is `records`, and whose file is
 * named by its only argument. Like the child it knows no secret. When nobody reads on, it ends.
 */
import { appendFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Kernel } from '../csv/kernel/kernel.ts'
import { type Passage, passRecords } from '../csv/passage.ts'

const stdout = 1
const append: (descriptor: number, bytes: Uint8Array) => Promise<void> = promisify(appendFile)

const passages = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Passage[]
const kernel = await Kernel.load()
for (const passage of passages) {
  // Whoever wants no more ends this process.
  await passRecords(passage, kernel, (bytes) => append(stdout, bytes), new AbortController().signal)
}
