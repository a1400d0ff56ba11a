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

async function simple(file: OpenFile, threads: number) {
  return await scanSimple(file, { kernel, threads, ...quiet })
}

async function sound(file: OpenFile, threads: number) {
  return await scanSound(file, { kernel, threads, ...quiet })
}

// Each file is a little more than 32 MiB, less than which is not worth another thread.

test('two threads find what one does, lines of first values included', async () => {
  const row = '1234567890123,2020-01-01\r\n'
  const rows = [
    row.repeat(1_150_000),
    '1.5,2020-01-01\r\n',
    row.repeat(99_999),
    '1,never before and never behind\r\n',
    row.repeat(100_000),
  ]
  const file = await opened(`n,d\r\n${rows.join('')}`)
  const [one, two] = [await simple(file, 1), await simple(file, 2)]
  assert.ok(one !== undefined)
  assert.deepEqual(two, one)
  assert.deepEqual(
    [one.tally.records, one.evidence[0]?.firstLines.decimal, one.evidence[1]?.firstLines.text],
    [1_350_001, 1_150_002, 1_250_002],
  )
})

test('a file is simple only if both halves are', async () => {
  const rows = '12345678,2020-01-01\n'.repeat(900_000)
  for (const content of [
    `${rows}"1",2\n${rows}`,
    `${rows}${rows}1,"2"\n`,
    `1\n${rows}${rows}`,
    `${rows}${rows}\n1,2\n`,
  ]) {
    assert.equal(await simple(await opened(`n,d\n${content}`), 2), undefined)
  }
})

test('quotes are no hindrance where no line break stands in them', async () => {
  const row = (last: string) => `"12345678","a, ""b"" ${last}"\n`
  const seven = `${row('c').repeat(6)}\n${row('')}`
  const file = await opened(`n,d\n${seven.repeat(220_000)}`)
  const [one, two] = [await sound(file, 1), await sound(file, 2)]
  assert.ok(one !== undefined)
  assert.deepEqual(two, one)
  assert.deepEqual([one.tally.records, one.tally.blankLines], [1_540_000, 220_000])
})

test('halves that would meet inside of quotes are none', async () => {
  const rows = '12345678,2020-01-01\n'.repeat(800_000)
  const file = await opened(`n,d\n${rows}"1","${`${'x'.repeat(19)}\n`.repeat(200_000)}"\n${rows}`)
  assert.equal(await sound(file, 2), undefined)
  assert.equal((await sound(file, 1))?.tally.records, 1_600_001)
})

test('a file is sound only if no record of either half is at fault', async () => {
  const rows = '12345678,"2020-01-01"\n'.repeat(1_600_000)
  assert.equal((await sound(await opened(`n,d\n${rows}`), 2))?.tally.records, 1_600_000)
  for (const content of [`1\n${rows}`, `1,"x" y\n${rows}`, `${rows}1,2,3\n`, `${rows}1,\0\n`]) {
    assert.equal(await sound(await opened(`n,d\n${content}`), 2), undefined, content.slice(-8))
  }
})
