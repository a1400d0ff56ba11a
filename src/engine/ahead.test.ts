/** Rows that are written while they are read: what is expected, and whether the whole file has kept it. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { mill, nothing, runFolder } from '../../test/engine-fixture.ts'
import { Kernel } from '../csv/kernel/kernel.ts'
import { passRecords } from '../csv/passage.ts'
import { type Job, jobFile, type Report } from '../job.ts'
import type { Passages } from './pass.ts'

const target = { table: 't', mode: 'append', key: [], drift: 'fail', undoable: false } as const
const targets: Job['targets'] = { rows: { target, rows: 'tabbed', columns: undefined } }
const pipeline = { ...nothing, rejects: 'keep' as const, outputs: { rows: { to: 'db', sql: 'FROM file' } } }

const text = 'x'.repeat(2000)
const head = `id,text,amount\n${Array.from({ length: 17_000 }, (_, i) => `${i},${text},${i}.5\n`).join('')}`

/** Runs a job that may go ahead, does so as `work/ahead.ts` would, and runs it to its end. */
async function goAhead(csv: string) {
  let end: Report | undefined
  let bytes = 0
  const { report: begun } = await mill(
    pipeline,
    { 'file.csv': csv },
    { targets, ahead: 'may' },
    async (folder, first) => {
      if (first.ahead !== 'begun') return
      const { passages, scan } = JSON.parse(
        await readFile(join(folder, first.outputs[0]?.file ?? ''), 'utf8'),
      ) as Passages
      const [passage] = passages
      assert.ok(passage !== undefined && scan !== undefined)
      const count = async (piece: Buffer) => void (bytes += piece.length)
      const found = await passRecords(passage, await Kernel.load(), count, true, new AbortController().signal)
      await writeFile(scan, JSON.stringify(found))
      const job = JSON.parse(await readFile(join(folder, jobFile), 'utf8')) as Job
      await writeFile(join(folder, jobFile), JSON.stringify({ ...job, ahead: 'was' }))
      end = await runFolder(folder)
    },
  )
  const { report: plain } = await mill(pipeline, { 'file.csv': csv }, { targets })
  return { begun, end, plain, bytes }
}

suite('a big file', () => {
  test('that goes on as it began is what was expected, and what it is without', async () => {
    const { begun, end, plain, bytes } = await goAhead(`${head}17000,"a\nb",7.5\n`)
    assert.equal(begun.ahead, 'begun')
    assert.ok(Math.abs((begun.outputs[0]?.rows ?? 0) - 17_000) < 1000)
    assert.ok(bytes > 34e6)
    assert.deepEqual(end, { ...plain, ahead: 'right' })
    assert.equal(end?.inputs['file']?.accepted, 17_001)
  })

  test('with records at fault is right all the same, and they are told', async () => {
    const { end, plain } = await goAhead(`${head}1\n2,y,1.5\n`)
    assert.deepEqual(end, { ...plain, ahead: 'right' })
    assert.deepEqual([end?.inputs['file']?.rejected, end?.rejects?.count], [1, 1])
  })

  for (const [what, last] of [
    ['a word among its numbers', 'end,y,1.5\n'],
    ['a number with more digits than it began with', '7,y,1.2345\n'],
  ] as const) {
    test(`that ends with ${what} is not`, async () => {
      const { begun, end, plain } = await goAhead(head + last)
      assert.equal(begun.ahead, 'begun')
      assert.deepEqual(end, plain)
      assert.equal(end?.ahead, undefined)
    })
  }
})

test('of a small file, and of one that begins with a record at fault, nothing is expected', async () => {
  for (const csv of ['id,text,amount\n1,y,1.5\n', head.replace('\n', '\n1\n')]) {
    const { begun, plain } = await goAhead(csv)
    assert.deepEqual(begun, plain)
  }
})
