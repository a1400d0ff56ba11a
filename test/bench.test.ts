/** What is measured is worth measuring only if the made-up files are sound, and if a wrong reading is noticed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'csv-parse/sync'
import { Agreement, readingOf } from '../bench/reading.ts'
import { type TextKind, textCsv } from '../bench/texts.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

function make(kind: TextKind, least = 3e5, seed = 1): Buffer {
  return Buffer.concat(Array.from(textCsv(kind, least, seed), (bytes) => Buffer.from(bytes)))
}

suite('made-up text', () => {
  for (const [kind, columns, means] of [
    ['quoted', 7, /^"[^"]+"(,"[^"]+"){6}$/m],
    ['multiline', 5, /,"[^"]*\n[^"]*""[^"]*/],
    ['wide', 30, /,,.*,"[^"]*(,|"")/],
  ] as const) {
    test(`${kind}: is sound CSV of its kind, with a number of its own in each record`, () => {
      const text = make(kind, 3e6).toString()
      assert.match(text, means)
      const [header, ...records] = parse(text, { record_delimiter: '\n' })
      assert.equal(header?.length, columns)
      assert.deepEqual(
        records.map(([number]) => Number(number)),
        Array.from(records, (_, i) => 100_000_001 + i),
      )
      const different = new Set(records.map((record) => record.slice(1).join())).size
      assert.ok(different > 0.5 * records.length, `only ${different} of ${records.length} are different`)
      assert.ok(different < records.length, 'no block has come twice, so that this has not been tested')
    })

    test(`${kind}: is the same for the same seed, and another one for another`, () => {
      assert.ok(make(kind).equals(make(kind)))
      assert.ok(!make(kind, 3e5, 2).equals(make(kind)))
    })
  }
})

suite('readings', () => {
  // `é` is two bytes and one unit; the header and what stands between values are ASCII.
  const file = { path: 'x.csv', bytes: 14, units: 13 }

  test('agree in whatever they are measured', () => {
    const agreement = new Agreement()
    agreement.take('units', readingOf('{"records":2,"cells":4,"units":5}\n', file))
    agreement.take('bytes', readingOf('{"records":2,"cells":4,"bytes":6}\n', file))
    agreement.take('records', readingOf('{"records":2}\n', file))
    assert.equal(agreement.size(), '2 records, 4 cells')
  })

  for (const [what, told] of [
    ['records', '{"records":3}'],
    ['cells', '{"records":2,"cells":5,"bytes":6}'],
    ['bytes', '{"records":2,"cells":4,"units":6}'],
  ] as const) {
    test(`that differ in ${what} are refused`, () => {
      const agreement = new Agreement()
      agreement.take('one', readingOf('{"records":2}', file))
      agreement.take('two', readingOf('{"records":2,"cells":4,"bytes":6}', file))
      assert.throws(
        () => agreement.take('three', readingOf(told, file)),
        new RegExp(`three has read \\d ${what}, and `),
      )
    })
  }
})

test('every benchmark stands on its page, with a place for what it finds', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['bench/main.ts', '--help'], { cwd: root })
  const names = Array.from(stdout.matchAll(/^ {2}([a-z][a-z-]*) {2}/gm), ([, name]) => name)
  assert.ok(names.length > 0)
  const page = await readFile(`${root}docs/benchmarks.md`, 'utf8')
  assert.deepEqual(
    Array.from(page.matchAll(/^npm run bench -- (\S+)$/gm), ([, name]) => name),
    names,
  )
  assert.deepEqual(
    Array.from(page.matchAll(/^<!-- (\S+) -->[^]*?^<!-- \/\1 -->/gm), ([, name]) => name),
    names,
  )
})
