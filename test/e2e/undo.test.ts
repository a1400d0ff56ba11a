/** Before and after a load: what it would come to, a plan that binds, and the way back. */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import type { TaskAnswer } from '../../src/cli/client.ts'
import {
  assertNoTrace,
  filesIn,
  type Folder,
  json,
  mainCommand,
  type Service,
  start,
  startService,
  temporaryFolder,
} from '../harness.ts'
import { called } from '../rowmill.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
  await mkdir(folder.at('mine'))
  const load = await readFile(new URL('../../pipelines/load.yaml', import.meta.url), 'utf8')
  await writeFile(folder.at('mine', 'put.yaml'), load.replace('to: warehouse', 'to: file'))
})
after(() => folder[Symbol.asyncDispose]())

function environment(name: string) {
  return {
    ROWMILL_PIPELINES: folder.at('mine'),
    ROWMILL_DATA: folder.at(name),
    ROWMILL_SINK_FILE_URL: `sqlite:${folder.at(`${name}.db`)}`,
  }
}

async function rowmill(env: Record<string, string>, ...args: string[]) {
  await using program = start([...mainCommand, ...args], { cwd: folder.path, env })
  const code = await program.exited
  assertNoTrace(program.stderr())
  return { code, stdout: program.stdout().trim(), stderr: program.stderr() }
}

/** The same in this process, of a command that is not refused. */
async function inside(env: Record<string, string>, ...args: string[]): ReturnType<typeof rowmill> {
  const { code, error, stdout, stderr } = await called(args, env)
  assert.equal(error, undefined)
  assertNoTrace(stderr)
  return { code: code ?? null, stdout: stdout.trim(), stderr }
}

function rows(name: string, sql = 'SELECT id, name FROM people ORDER BY id'): unknown[][] {
  using db = new DatabaseSync(folder.at(`${name}.db`))
  return db
    .prepare(sql)
    .all()
    .map((row) => Object.values(row))
}

const upsert = ['--param', 'table=people', '--param', 'mode=upsert', '--param', 'key=id', '--param', 'undoable=true']
const old = 'id,name\n1,Ada\n2,Bob\n'
/** Its rows go to a table and into a file. */
const both = `about: Both.
inputs: { file: {} }
outputs:
  rows: { to: file, table: people, sql: FROM file }
  copy: { to: results, sql: FROM file }
`
const fresh = 'id,name\n1,Ada\n2,Ben\n3,Cid\nx,Dan\n'

test('a plan says what a load comes to, binds it, and the load is undone', async () => {
  await writeFile(folder.at('old.csv'), old)
  await writeFile(folder.at('fresh.csv'), fresh)
  const env = environment('served')
  await using service = await startService({ data: folder.at('served'), env })
  const url = { ...env, ROWMILL_URL: service.url }
  const pushOf = (file: string) => ['push', folder.at(file), '-p', 'put', '--wait', ...upsert]
  const push = (file: string, ...more: string[]) => inside(url, ...pushOf(file), ...more)
  assert.equal((await push('old.csv')).code, 0)

  const planned = await push('fresh.csv', '--dry-run')
  assert.equal(planned.code, 3, planned.stderr)
  assert.match(planned.stderr, /^rows: 3 rows \(1 inserted, 1 updated, 1 unchanged\)$/m)
  assert.match(planned.stderr, /^file: 4 records \(3 accepted, 1 rejected\)$/m)
  assert.match(planned.stdout, /^[0-9a-f]{64}$/)
  assert.deepEqual(rows('served').length, 2)

  // Somebody else comes first.
  using db = new DatabaseSync(folder.at('served.db'))
  db.exec("UPDATE people SET name = 'Ben' WHERE id = 2")
  const refused = await rowmill(url, ...pushOf('fresh.csv'), '--plan', planned.stdout)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /not what the plan says.*rows: 1 inserted, 0 updated, 2 unchanged/)
  assert.equal(rows('served').length, 2)
  db.exec("UPDATE people SET name = 'Bob' WHERE id = 2")

  const again = await push('fresh.csv', '--dry-run')
  assert.equal(again.stdout, planned.stdout)
  const done = await push('fresh.csv', '--plan', planned.stdout)
  assert.equal(done.code, 3, done.stderr)
  assert.match(done.stderr, /people: 3 rows \(1 inserted, 1 updated, 1 unchanged\)/)
  const id = /^Task (\w{26})$/m.exec(done.stderr)?.[1] ?? ''

  db.exec("UPDATE people SET name = 'Cyd' WHERE id = 3")
  const undone = await inside(url, 'tasks', 'undo', id, '--wait')
  assert.equal(undone.code, 3, undone.stderr)
  assert.match(undone.stderr, /^rows: 1 row restored, 1 row left/m)
  assert.match(undone.stderr, /^ {2}left: id 3$/m)
  assert.deepEqual(rows('served'), [
    [1, 'Ada'],
    [2, 'Bob'],
    [3, 'Cyd'],
  ])
  const task = await taskOf(service, id)
  assert.equal(task.undoneBy, undone.stdout)
  const twice = await rowmill(url, 'tasks', 'undo', id)
  assert.equal(twice.code, 1)
  assert.match(twice.stderr, new RegExp(`undone by task ${undone.stdout} already`))
  assert.match((await inside(url, 'tasks', 'show', undone.stdout)).stdout, /undone rows +1 row restored/)
})

test('what has put no rows into tables cannot be undone, and its dry run tells its outputs', async () => {
  await using service = await startService({ data: folder.at('files'), env: environment('files') })
  const plays = new URL('../../examples/plays.csv', import.meta.url).pathname
  const url = { ROWMILL_URL: service.url }
  const planned = await inside(url, 'push', plays, '-p', 'song-plays', '--wait', '--dry-run')
  assert.equal(planned.code, 0, planned.stderr)
  const [task] = (await json<{ tasks: TaskAnswer[] }>(await fetch(`${service.url}/v1/tasks`))).tasks
  assert.deepEqual([task?.outputs, task?.plan?.hash], [[], planned.stdout])
  const undo = (id = '') => fetch(`${service.url}/v1/tasks/${id}/undo`, { method: 'POST' })
  assert.equal((await undo(task?.id)).status, 409)
  const { code, stderr } = await inside(
    url,
    'push',
    plays,
    '-p',
    'song-plays',
    '--wait',
    '-o',
    folder.at('out'),
    '--plan',
    planned.stdout,
  )
  assert.equal(code, 0, stderr)
  const [done] = (await json<{ tasks: TaskAnswer[] }>(await fetch(`${service.url}/v1/tasks`))).tasks
  assert.equal((await undo(done?.id)).status, 409)
})

test('a dry run without a service leaves no trace, and its plan binds the run', async () => {
  await writeFile(folder.at('old.csv'), old)
  const env = environment('alone')
  const load = (...more: string[]) => rowmill(env, 'run', 'put', 'old.csv', '--param', 'table=people', ...more)
  const planned = await load('--dry-run')
  assert.equal(planned.code, 0, planned.stderr)
  assert.match(planned.stderr, /^rows: 2 rows \(2 inserted\)$/m)
  assert.ok(!(await filesIn(folder.path)).some((file) => file.startsWith('alone')))
  const other = await load('--param', 'undoable=false', '--plan', planned.stdout)
  assert.equal(other.code, 1)
  assert.match(other.stderr, /not what the plan says/)
  assert.equal((await load('--plan', planned.stdout)).code, 0)
  assert.equal(rows('alone').length, 2)
})

test('files are saved when the tables have their rows, and not otherwise', async () => {
  const env = environment('both')
  await writeFile(folder.at('old.csv'), old)
  await writeFile(folder.at('mine', 'both.yaml'), both)
  const load = (...more: string[]) => rowmill(env, 'run', 'both', 'old.csv', '-o', 'saved', ...more)
  const refused = await load('--plan', 'f'.repeat(64))
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /not what the plan says, so nothing was delivered/)
  assert.deepEqual(await filesIn(folder.at('saved')), [])
  const done = await load()
  assert.equal(done.code, 0, done.stderr)
  assert.deepEqual(await filesIn(folder.at('saved')), ['copy.csv'])
  assert.equal(rows('both').length, 2)
  // What could not be saved then is saved by the next run, which loads nothing twice.
  await rm(folder.at('saved'), { recursive: true })
  assert.match((await load()).stderr, /Nothing new/)
  assert.deepEqual(await filesIn(folder.at('saved')), ['copy.csv'])
  assert.equal(rows('both').length, 2)
})

async function taskOf({ url }: Service, id: string): Promise<TaskAnswer> {
  return await json<TaskAnswer>(await fetch(`${url}/v1/tasks/${id}`))
}
