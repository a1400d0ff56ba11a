/** Big files, whose rows are written while they are read: also when the end is not what the beginning has promised. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import {
  assertNoTrace,
  type Env,
  filesIn,
  type Folder,
  isStopped,
  mainCommand,
  start,
  temporaryFolder,
  until,
} from '../harness.ts'
import { type DatabaseKind, freshDatabase, missing, query } from '../servers.ts'

/** Enough to be worth it, in few rows. */
const rows = 34_000
const text = 'x'.repeat(1000)

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
  await mkdir(folder.at('mine'))
  const yaml = await readFile(new URL('../../pipelines/load.yaml', import.meta.url), 'utf8')
  await writeFile(folder.at('mine', 'put.yaml'), yaml.replace('to: warehouse', 'to: db'))
  const lines = Array.from({ length: rows }, (_, i) => `${i},${text},${i}.25\n`)
  await writeFile(folder.at('sound.csv'), `id,text,amount\n${lines.join('')}`)
  await writeFile(folder.at('words.csv'), `id,text,amount\n${lines.join('')}end,word,7.25\n`)
  await writeFile(folder.at('faults.csv'), `id,text,amount\n${lines.join('')}1\n2,"a"b,1.5\n3,last,1.5\n`)
})
after(() => folder[Symbol.asyncDispose]())

interface Database extends AsyncDisposable {
  readonly url: string
  readonly ask: (sql: string) => Promise<string[]>
}

async function server(kind: DatabaseKind): Promise<Database> {
  const { url, [Symbol.asyncDispose]: drop } = await freshDatabase(kind)
  return { url, ask: async (sql) => (await query(url, sql)).trim().split(/[\t|]/), [Symbol.asyncDispose]: drop }
}

async function file(): Promise<Database> {
  const path = folder.at(`${crypto.randomUUID()}.db`)
  const ask = async (sql: string) => {
    using db = new DatabaseSync(path)
    return Object.values(db.prepare(sql).get() ?? {}).map(String)
  }
  return { url: `sqlite:${path}`, ask, [Symbol.asyncDispose]: async () => {} }
}

const databases = [
  { name: 'PostgreSQL', skip: missing('postgres'), open: () => server('postgres') },
  { name: 'MariaDB', skip: missing('mariadb'), open: () => server('mariadb') },
  { name: 'SQLite', skip: false, open: file },
] as const

function envOf({ url }: Database): Env {
  return { ROWMILL_PIPELINES: folder.at('mine'), ROWMILL_SINK_DB_URL: url, ROWMILL_DATA: folder.at('data') }
}

function argsOf(csv: string): string[] {
  return ['run', 'put', csv, '--param', 'table=t']
}

async function load(database: Database, csv: string, ...more: string[]) {
  const command = [...mainCommand, ...argsOf(csv), ...more]
  await using program = start(command, { cwd: folder.path, env: envOf(database) })
  const code = await program.exited
  assertNoTrace(program.stderr())
  return { code, stderr: program.stderr() }
}

/** What the engine makes of a file is the same for all of them; what each has to do is to take rows back. */
for (const { name, skip, open } of databases) {
  test(`${name}: a column of numbers that ends in words`, { skip }, async () => {
    await using database = await open()
    const { code, stderr } = await load(database, 'words.csv')
    assert.equal(code, 0, stderr)
    const ends = await database.ask("SELECT count(*), max(id) FROM t WHERE id = 'end' OR id = '33999'")
    assert.deepEqual(ends, ['2', 'end'])
    assert.deepEqual(await database.ask('SELECT count(*) FROM t'), ['34001'])
  })
}

suite('PostgreSQL', { skip: missing('postgres') }, () => {
  test('a file that goes on as it began', async () => {
    await using database = await server('postgres')
    const { code, stderr } = await load(database, 'sound.csv')
    assert.equal(code, 0, stderr)
    assert.match(stderr, /t: 34,000 rows/)
    const sums = await database.ask('SELECT count(*), sum(id), max(length(text)) FROM t')
    assert.deepEqual(sums, ['34000', String((rows * (rows - 1)) / 2), '1000'])
    // The same again is known, though nothing is written then.
    assert.match((await load(database, 'sound.csv')).stderr, /Nothing new/)
    assert.deepEqual(await database.ask('SELECT count(*), count(DISTINCT _rowmill_task) FROM t'), ['34000', '1'])
  })

  test('the first rows are on their way before all of the file is read', async () => {
    await using database = await server('postgres')
    const scratch = folder.at('scratch')
    await mkdir(scratch)
    const env = { ...envOf(database), ROWMILL_FAILPOINT: 'after-first-bytes:stop', TMPDIR: scratch }
    await using program = start([...mainCommand, ...argsOf('sound.csv')], { cwd: folder.path, env })
    await until('it is stopped', () => isStopped(program.pid))
    const files = (await filesIn(scratch)).filter((path) => /[/]out[/]rows/.test(path))
    // What is to be expected, and not yet what was found.
    assert.deepEqual(
      files.map((path) => path.replace(/^.*[/]/, '')),
      ['rows.ahead.json'],
    )
  })

  test('records at fault among the last', async () => {
    await using database = await server('postgres')
    const { code, stderr } = await load(database, 'faults.csv')
    assert.equal(code, 3, stderr)
    assert.match(stderr, /34002 .*missing-cell/)
    assert.match(stderr, /34003 .*quote-error/)
    assert.deepEqual(await database.ask('SELECT count(*) FROM t'), ['34001'])
  })
})
