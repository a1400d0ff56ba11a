import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Kernel } from './kernel/kernel.ts'
import { openFile } from './open.ts'
import { scanSimple } from './simple.ts'

let folder = ''
let kernel: Kernel
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  kernel = await Kernel.load()
})
after(() => rm(folder, { recursive: true, force: true }))

const quiet = { signal: new AbortController().signal, onProgress: () => {} }

async function scan(content: string, threads: number) {
  const path = join(folder, 'file')
  await writeFile(path, content)
  const options = { name: 'file', scratch: join(folder, 'scratch'), given: {}, expected: ['n', 'd'], mostBytes: 1e9 }
  const file = await openFile(path, { ...options, ...quiet }, 'presumed')
  return scanSimple(file, { kernel, threads, ...quiet })
}

test('two threads find what one does, lines of first values included', async () => {
  const row = (i: number) => `${i === 2_200_000 ? '1.5' : i},${i === 2_300_000 ? 'never' : '2020-01-01'}\r\n`
  const rows = Array.from({ length: 2_500_000 }, (_, i) => row(i)).join('')
  const [one, two] = [await scan(`n,d\r\n${rows}`, 1), await scan(`n,d\r\n${rows}`, 2)]
  assert.deepEqual(two, one)
  assert.equal(one.tally.isSimple, true)
  assert.deepEqual(
    [one.tally.records, one.evidence[0]?.firstLines.decimal, one.evidence[1]?.firstLines.text],
    [2_500_000, 2_200_002, 2_300_002],
  )
})

test('a file is simple only if both halves are', async () => {
  const rows = '12345678,2020-01-01\n'.repeat(1_000_000)
  for (const content of [
    `${rows}"1",2\n${rows}`,
    `${rows}${rows}1,"2"\n`,
    `1\n${rows}${rows}`,
    `${rows}${rows}\n${rows}`,
  ]) {
    assert.equal((await scan(`n,d\n${content}`, 2)).tally.isSimple, false)
  }
})
