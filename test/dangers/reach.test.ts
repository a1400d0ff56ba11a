/** What DuckDB reaches for: other files than those meant, and more memory than it may have. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { openEmptyDatabase } from '../../src/engine/lint.ts'
import { limitsOf } from '../../src/work/supervisor.ts'
import { type Folder, temporaryFolder } from '../harness.ts'
import { rowmill } from '../rowmill.ts'
import { duckdb, mill, readCsv } from './both.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = folder.at(name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

const columns = { v: 'string' }

test('a name is taken for a pattern, and a folder for a column', async (t) => {
  const star = await file('glob/*.csv', 'v\n1\n')
  await file('glob/other.csv', 'v\n2\n')
  const brackets = await file('glob/plays [2].csv', 'v\n3\n')
  await file('glob/plays 2.csv', 'v\n4\n')
  const hive = await file('year=2020/plays.csv', 'v\n5\n')

  await t.test('DuckDB', async () => {
    assert.deepEqual(await duckdb(`SELECT list(v ORDER BY v) FROM ${readCsv(star, columns)}`), [[['1', '2', '3', '4']]])
    assert.deepEqual(await duckdb(`FROM ${readCsv(brackets, columns)}`), [['4']])
    assert.deepEqual(await duckdb(`FROM ${readCsv(hive, columns)}`), [['5', '2020']])
  })

  await t.test('Rowmill', async () => {
    const found = []
    for (const path of [star, brackets, hive]) {
      const { header, rows } = await mill(path, { columns })
      found.push([...header, ...rows.flat()])
    }
    assert.deepEqual(found, [
      ['v', '1'],
      ['v', '3'],
      ['v', '5'],
    ])
  })
})

test('SQL writes where it may read, reads everywhere, and raises its own limits', async (t) => {
  const input = await file('in/plays.csv', 'v\n1\n')
  const secret = await file('secret.csv', 'v\nsecret\n')
  const allowed = `SET allowed_directories = ['${dirname(input)}/']`
  const closed = 'SET enable_external_access = false'

  await t.test('DuckDB', async () => {
    // A folder that is allowed closes no other one.
    assert.deepEqual(await duckdb([allowed, `FROM ${readCsv(secret, columns)}`]), [['secret']])
    const unlocked = [allowed, closed, "SET memory_limit = '800GB'", "SELECT current_setting('memory_limit')"]
    assert.deepEqual(await duckdb(unlocked, { memory_limit: '100MB' }), [['745.0 GiB']])
    const copy = `COPY (SELECT 'gone' AS v) TO '${input}'`
    await duckdb([allowed, closed, 'SET lock_configuration = true', copy])
    assert.equal(await readFile(input, 'utf8'), 'v\ngone\n')
  })

  await t.test('Rowmill', async () => {
    for (const [sql, words] of [
      [`COPY (SELECT 'gone' AS v) TO '${input}'`, /./],
      [`FROM read_csv('${secret}')`, /disabled by configuration/],
      [`SELECT content FROM read_text('${secret}')`, /disabled by configuration/],
      ["SET memory_limit = '800GB'", /exactly one SELECT/],
    ] as const) {
      await writeFile(input, 'v\n1\n')
      const { report } = await mill(input, { columns, sql })
      assert.equal(report.error?.code, 'unprocessable', sql)
      assert.match(report.error.message, words)
      assert.equal(await readFile(input, 'utf8'), 'v\n1\n')
    }
    using database = await openEmptyDatabase()
    await assert.rejects(database.run("SET memory_limit = '800GB'"), /configuration has been locked/)
  })
})

test('a link in an allowed folder is refused, one that is allowed by its path is not', async (t) => {
  const target = await file('linked.csv', 'v\n1\n')
  const link = folder.at('links/link.csv')
  await mkdir(dirname(link))
  await symlink(target, link)
  const read = (allowed: string) =>
    duckdb([`SET ${allowed}`, 'SET enable_external_access = false', `FROM ${readCsv(link, columns)}`])

  await t.test('DuckDB', async () => {
    await assert.rejects(read(`allowed_directories = ['${dirname(link)}/']`), /disabled by configuration/)
    assert.deepEqual(await read(`allowed_paths = ['${link}']`), [['1']])
  })

  await t.test('Rowmill', async () => {
    assert.deepEqual((await mill(link, { columns })).rows, [['1']])
  })
})

test('memory ends without a folder to spill to, and passes its limit with one', async (t) => {
  const path = await file('groups.csv', `v\n${Array.from({ length: 10_000 }, (_, i) => `key number ${i}\n`).join('')}`)
  const groups = (relation: string) =>
    `SELECT count(*)::INT FROM (SELECT v || ' and ' || r AS g FROM ${relation}, range(300) AS t(r) GROUP BY g)`

  await t.test('DuckDB', async () => {
    const sql = groups(readCsv(path, columns))
    const nowhere = { memory_limit: '150MB', temp_directory: '' }
    await assert.rejects(duckdb(sql, nowhere), /Out of Memory Error: [^]*no temporary directory is specified/)
    // Unless told, it spills into the folder that the process happens to stand in.
    assert.deepEqual(await duckdb("SELECT current_setting('temp_directory')"), [['.tmp']])
    // The limit is for what DuckDB counts; the process as a whole takes nearly twice as much.
    const { rows, peak } = memoryOf('150MB', sql)
    assert.deepEqual(rows, [[3_000_000]])
    assert.ok(peak > 1.5 * 150e6, `${peak} bytes`)
  })

  await t.test('Rowmill', async () => {
    const { rows } = await mill(path, { columns, sql: groups('file'), memory: 150e6 })
    assert.deepEqual(rows, [['3000000']])
    assert.equal(limitsOf({ TASK_MEMORY: 300e6, THREADS: 2, MAX_UNPACKED: 1 }).memory, 150e6)
  })
})

test('a long record in a small archive passes the limit of memory', async (t) => {
  const bomb = await file('bomb.csv.gz', gzipSync(`v\n${'x'.repeat(100e6)}\n`, { level: 1 }))

  await t.test('DuckDB', () => {
    const options = { parallel: 'false', strict_mode: 'false' }
    const { start, peak } = memoryOf('80MB', `FROM ${readCsv(bomb, columns, options)}`)
    assert.ok(peak - start > 1.5 * 80e6, `${peak - start} bytes`)
  })

  await t.test('Rowmill', async () => {
    const { code, stderr } = await rowmill(['run', 'profile', bomb], { ROWMILL_TASK_MEMORY: '300MB' })
    assert.ok(code === 1 || code === 3, stderr)
    // Whose words are those of a process that had to be ended.
    assert.doesNotMatch(stderr, /ROWMILL_TASK_MEMORY/)
  })
})

interface Memory {
  readonly rows: unknown
  readonly start: number
  readonly peak: number
}

/** What SQL takes in a process of its own, in bytes. */
function memoryOf(limit: string, sql: string): Memory {
  const script = fileURLToPath(new URL('peak.ts', import.meta.url))
  return JSON.parse(execFileSync(process.execPath, [script, limit, sql], { encoding: 'utf8' })) as Memory
}
