import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { scanSimple, scanSound } from './halves.ts'
import { Kernel } from './kernel/kernel.ts'
import { type OpenFile, openFile } from './open.ts'

let folder = ''
let kernel: Kernel
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  kernel = await Kernel.load()
})
after(() => rm(folder, { recursive: true, force: true }))

const quiet = { signal: new AbortController().signal, onProgress: () => {} }

async function opened(content: string): Promise<OpenFile> {
  const path = join(folder, 'file')
  await writeFile(path, content)
  const options = { name: 'file', scratch: join(folder, 'scratch'), given: {}, expected: ['n', 'd'], mostBytes: 1e9 }
  return await openFile(path, { ...options, ...quiet }, 'presumed')
}

async function simple(content: string, threads: number) {
  return await scanSimple(await opened(content), { kernel, threads, ...quiet })
}

async function sound(content: string, threads: number) {
  return await scanSound(await opened(content), { kernel, threads, ...quiet })
}

test('two threads find what one does, lines of first values included', async () => {
  const row = (i: number) => `${i === 2_200_000 ? '1.5' : i},${i === 2_300_000 ? 'never' : '2020-01-01'}\r\n`
  const rows = Array.from({ length: 2_500_000 }, (_, i) => row(i)).join('')
  const [one, two] = [await simple(`n,d\r\n${rows}`, 1), await simple(`n,d\r\n${rows}`, 2)]
  assert.ok(one !== undefined)
  assert.deepEqual(two, one)
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
    assert.equal(await simple(`n,d\n${content}`, 2), undefined)
  }
})

test('quotes are no hindrance where no line break stands in them', async () => {
  const row = (i: number) => `"${i}","a, ""b"" ${i === 1_900_000 ? '' : 'c'}"\n${i % 7 === 0 ? '\n' : ''}`
  const rows = Array.from({ length: 2_000_000 }, (_, i) => row(i)).join('')
  const [one, two] = [await sound(`n,d\n${rows}`, 1), await sound(`n,d\n${rows}`, 2)]
  assert.ok(one !== undefined)
  assert.deepEqual(two, one)
  assert.deepEqual([one.tally.records, one.tally.blankLines], [2_000_000, 285_715])
})

test('halves that would meet inside of quotes are none', async () => {
  const rows = '1,2020-01-01\n'.repeat(1_500_000)
  const content = `n,d\n${rows}"1","${`${'x'.repeat(19)}\n`.repeat(200_000)}"\n${rows}`
  assert.equal(await sound(content, 2), undefined)
  assert.equal((await sound(content, 1))?.tally.records, 3_000_001)
})

test('a file is sound only if no record of either half is at fault', async () => {
  const rows = '12345678,"2020-01-01"\n'.repeat(1_000_000)
  assert.equal((await sound(`n,d\n${rows}${rows}`, 2))?.tally.records, 2_000_000)
  for (const fault of ['1\n', '1,2,3\n', '1,"x" y\n', '1,\0\n']) {
    for (const content of [`${fault}${rows}${rows}`, `${rows}${rows}${fault}`]) {
      assert.equal(await sound(`n,d\n${content}`, 2), undefined, fault)
    }
  }
})
