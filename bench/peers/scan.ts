/** `node bench/peers/scan.ts FILE [shapes]`: Rowmill's reader alone: records checked and counted, and nothing written. */
import { open } from 'node:fs/promises'
import { standardDialect } from '../../src/csv/dialect.ts'
import { Kernel } from '../../src/csv/kernel/kernel.ts'
import { readRecords } from '../../src/csv/records.ts'
import { type Header, headerOf } from './header.ts'

const [file = '', shapes] = process.argv.slice(2)

const { names, bytes } = await readHeader(file)
const { records, rejected } = await readRecords(file, await Kernel.load(), {
  dialect: standardDialect,
  names,
  start: bytes,
  line: 2,
  output: 'nothing',
  shapes: shapes === 'shapes',
  write: async () => {},
  onFault: async () => {},
  onProgress: () => {},
  simpleOnly: false,
  signal: new AbortController().signal,
})
if (rejected > 0) throw new Error(`${rejected} records are rejected.`)
process.stdout.write(`${JSON.stringify({ records })}\n`)

async function readHeader(path: string): Promise<Header> {
  await using handle = await open(path)
  return await headerOf(handle)
}
