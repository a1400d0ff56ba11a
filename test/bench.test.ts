/** What is measured is worth measuring only if the made-up files are sound, and if a wrong reading is noticed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'csv-parse/sync'
import type { Contents } from '../bench/customers.ts'
import { type Database, rowmillLoads, versionOf } from '../bench/databases/database.ts'
import { openDuckdb } from '../bench/databases/duckdb.ts'
import { openMariadb } from '../bench/databases/mariadb.ts'
import { openPostgres } from '../bench/databases/postgres.ts'
import { openSqlite } from '../bench/databases/sqlite.ts'
import { measure } from '../bench/measure.ts'
import { Agreement, readingOf } from '../bench/reading.ts'
import { type TextKind, textCsv } from '../bench/texts.ts'
import { type Folder, temporaryFolder } from './harness.ts'
import { freshDatabase, missing } from './servers.ts'

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

suite('tables of customers', async () => {
  const csv = `id,first_name,last_name,email,city,signed_up,amount
1,Åsa,"Smith ""Smitty""",a1@mail.example,"Springfield
North",2019-08-06,-82561.30
2,José,"King, Jr.",k2@mail.example,Łódź,2024-02-29,
`

  function contentsOf(text: string): Contents {
    const digests = parse(text, { from: 2 }).map((cells) => {
      const row = cells.map((cell) => (cell === '' ? '~' : cell)).join('|')
      return BigInt(`0x${hash('md5', row).slice(0, 9)}`)
    })
    return { rows: digests.length, sum: digests.reduce((sum, digest) => sum + digest, 0n) }
  }

  /** By everybody but Rowmill, whose tests are elsewhere. */
  async function loadAll(database: Database, folder: Folder): Promise<void> {
    const loaders = database.loaders.filter(({ name }) => !name.startsWith(rowmillLoads))
    assert.ok(loaders.length > 0)
    const file = folder.at('customers.csv')
    for (const [i, { name, command, settle }] of loaders.entries()) {
      // Nobody finds what another one has loaded.
      const text = csv.replace('82561', String(82_561 + i))
      await writeFile(file, text)
      const run = folder.at(String(i))
      await mkdir(run)
      await database.renew()
      await measure(command(file, run), run, AbortSignal.timeout(60_000))
      settle?.()
      assert.deepEqual(await database.contents(), contentsOf(text), name)
    }
  }

  for (const [kind, open] of [
    ['postgres', openPostgres],
    ['mariadb', openMariadb],
  ] as const) {
    test(`of ${kind} have the sum that their rows have anywhere`, { skip: missing(kind) }, async () => {
      await using folder = await temporaryFolder()
      await using server = await freshDatabase(kind)
      await loadAll(await open(server.url), folder)
    })
  }

  const isThere = (await versionOf('sqlite3', '--version')) !== undefined
  test('of sqlite have the sum that their rows have anywhere', { skip: !isThere && 'no sqlite3' }, async () => {
    await using folder = await temporaryFolder()
    await loadAll(await openSqlite(folder.at('customers.sqlite')), folder)
  })

  test('of duckdb have the sum that their rows have anywhere', async () => {
    await using folder = await temporaryFolder()
    await loadAll(openDuckdb(folder.at('customers.duckdb')), folder)
  })
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
