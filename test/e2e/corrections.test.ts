/** Rejects that people can fix: downloaded, put right, sent back; every record is there in the end, and all adds up. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { cleanLine } from '../../src/csv/write.ts'
import {
  assertNoTrace,
  type Folder,
  json,
  mainCommand,
  type Service,
  start,
  startService,
  temporaryFolder,
} from '../harness.ts'
import { called } from '../rowmill.ts'
import { freshDatabase, missing, query } from '../servers.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
  await mkdir(folder.at('mine'))
  // What is called in this process finds its files there, as the others do.
  process.chdir(folder.path)
  await writeFile(
    folder.at('mine', 'people.yaml'),
    `
about: Keeps what is sound.
rejects: keep
inputs:
  file:
    reader: { delimiter: ";" }
    columns: { id: integer, name: string, amount: { type: number, decimalChar: "," } }
outputs:
  rows: { to: results, sql: FROM file }
`,
  )
})
after(() => folder[Symbol.asyncDispose]())

/** 1000 records: of each hundred one has an amount that is none, one lacks a cell, and one has broken quotes. */
const people = `id;name;amount\n${Array.from({ length: 1000 }, (_, i) => {
  if (i % 100 === 7) return `${i};"n;${i}";none\n`
  if (i % 100 === 8) return `${i};n${i}\n`
  if (i % 100 === 9) return `${i};"n"${i};1,5\n`
  return `${i};n${i};1,5\n`
}).join('')}`

async function rowmill(service: Service, ...args: string[]) {
  await using program = start([...mainCommand, ...args], { cwd: folder.path, env: { ROWMILL_URL: service.url } })
  const code = await program.exited
  assertNoTrace(program.stderr())
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}

/** The same in this process, of a command that is not refused. */
async function inside(service: Service, ...args: string[]): ReturnType<typeof rowmill> {
  const { code, error, stdout, stderr } = await called(args, { ROWMILL_URL: service.url })
  assert.equal(error, undefined)
  assertNoTrace(stderr)
  return { code: code ?? null, stdout, stderr }
}

/** Puts right what `only` says, as somebody with a spreadsheet would. */
async function correct(from: string, to: string, amount: string, only: (code: string) => boolean): Promise<void> {
  const [header = [], ...records] = parse(await readFile(folder.at(from)))
  assert.deepEqual(header, ['_line', '_code', '_message', 'id', 'name', 'amount', '_raw'])
  const fixed = records.map(([line = '', code = '', message = '', id = '', name = '', given = '', raw = '']) => {
    if (!only(code)) return [line, code, message, id, name, given, raw]
    const known = raw === '' ? id : (/^\d+/.exec(raw)?.[0] ?? '')
    return [line, code, message, known, name === '' ? `n${known}` : name, amount, raw]
  })
  await writeFile(folder.at(to), [header, ...fixed].map((cells) => cleanLine(cells)).join(''))
}

async function taskOf(service: Service, stderr: string): Promise<TaskAnswer> {
  const id = /^Task (\w{26})$/m.exec(stderr)?.[1] ?? ''
  return await json<TaskAnswer>(await fetch(`${service.url}/v1/tasks/${id}`))
}

test('rejects are put right in two rounds; every record is there, and the family adds up', async () => {
  const env = { ROWMILL_PIPELINES: folder.at('mine') }
  await using service = await startService({ data: folder.at('data'), env })
  await writeFile(folder.at('people.csv'), people)
  const first = await rowmill(service, 'push', 'people.csv', '-p', 'people', '--wait', '-o', 'one')
  assert.equal(first.code, 3, first.stderr)
  const root = await taskOf(service, first.stderr)
  assert.match(first.stderr, /^To correct: one\/rejects\.fixable\.csv$/m)
  assert.match(first.stderr, new RegExp(`^Then send it back: \\./rowmill push FILE --corrects ${root.id} --wait$`, 'm'))

  await correct('one/rejects.fixable.csv', 'fixed.csv', '1,5', (code) => code !== 'quote-error')
  const second = await inside(service, 'push', 'fixed.csv', '--corrects', root.id, '--wait', '-o', 'two')
  assert.equal(second.code, 3, second.stderr)
  assert.match(second.stderr, /^All together: 1000 records = 990 accepted \+ 10 rejected \+ 0 left out$/m)
  const child = await taskOf(service, second.stderr)
  const again = await rowmill(service, 'push', 'fixed.csv', '--corrects', root.id)
  assert.equal(again.code, 1)
  assert.match(again.stderr, new RegExp(`is corrected by task ${child.id} already`))

  await correct('two/rejects.fixable.csv', 'last.csv', '1,5', (code) => code === 'missing-cell')
  const third = await inside(service, 'push', 'last.csv', '--corrects', child.id, '--wait', '-o', 'three')
  assert.equal(third.code, 0, third.stderr)
  const parts = await Promise.all(['one', 'two', 'three'].map((out) => readFile(folder.at(out, 'rows.csv'), 'utf8')))
  const ids = parts.flatMap((text) => parse(text, { from: 2 }).map(([id]) => Number(id)))
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  )
  const shown = await inside(service, 'tasks', 'show', root.id)
  assert.match(shown.stdout, new RegExp(`corrected by +${child.id}\n`))
  assert.match(shown.stdout, /family +1000 records = 1000 accepted \+ 0 rejected \+ 0 left out\n/)
})

test('a run without a service leaves the same list', async () => {
  await writeFile(folder.at('people.csv'), people)
  const env = { ROWMILL_PIPELINES: folder.at('mine') }
  const command = [...mainCommand, 'run', 'people', 'people.csv', '-o', 'local']
  await using run = start(command, { cwd: folder.path, env })
  assert.equal(await run.exited, 3, run.stderr())
  assert.match(run.stderr(), /^To correct: local\/rejects\.fixable\.csv$/m)
  const list = await readFile(folder.at('local', 'rejects.fixable.csv'), 'utf8')
  assert.deepEqual(list.split('\n').slice(0, 2), [
    '_line,_code,_message,id,name,amount,_raw',
    '9,type-error,"amount: “none” is not a number, with a decimal “,”",7,n;7,none,',
  ])
  assert.equal(parse(list).length, 31)
})

test('what a task has put into a table stays when its rejects come in later, though it has replaced what was there', {
  skip: missing('postgres'),
}, async () => {
  await using database = await freshDatabase('postgres')
  const env = { ROWMILL_SINK_WAREHOUSE_URL: database.url }
  await using service = await startService({ data: folder.at('loaded'), env })
  await query(database.url, 'CREATE TABLE people (id int PRIMARY KEY, name text)')
  await query(database.url, "INSERT INTO people VALUES (9, 'old')")
  await writeFile(folder.at('people.csv'), 'id,name\n1,a\nx,b\n3\n')
  const load = ['push', 'people.csv', '-p', 'load', '--param', 'mode=replace', '--wait', '-o', 'loaded-one']
  const first = await inside(service, ...load)
  assert.equal(first.code, 3, first.stderr)
  const rows = () => query(database.url, 'SELECT id, name FROM people ORDER BY id')
  assert.equal(await rows(), '1\ta')
  const list = await readFile(folder.at('loaded-one', 'rejects.fixable.csv'), 'utf8')
  await writeFile(folder.at('fixed.csv'), list.replace(',x,b,', ',2,b,').replace(',,,3\n', ',3,c,3\n'))
  const { id } = await taskOf(service, first.stderr)
  const second = await inside(service, 'push', 'fixed.csv', '--corrects', id, '--wait')
  assert.equal(second.code, 0, second.stderr)
  assert.match(second.stderr, /^warehouse people: 2 rows \(2 inserted\)$/m)
  assert.equal(await rows(), '1\ta\n2\tb\n3\tc')
})
