import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { until } from '../../test/harness.ts'
import { called, rowmill } from '../../test/rowmill.ts'
import { startApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { AppError } from '../errors.ts'
import { createLog } from '../log.ts'

const folder = await mkdtemp(join(tmpdir(), 'rowmill-push-'))
const { config } = loadConfig({ ROWMILL_DATA: join(folder, 'data'), ROWMILL_PORT: '0' }, folder)
const app = await startApp(config, { version: '0', log: createLog('error') })
after(async () => {
  await app[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const env = { ROWMILL_URL: app.url }
const totals = `Song,Date,Total Number of Plays for Date
In The End,2020-01-01,1500
In The End,2020-01-02,500
Umbrella,2020-01-01,150
Umbrella,2020-01-02,250
`

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

async function empty(name: string): Promise<string> {
  await mkdir(join(folder, name))
  return join(folder, name)
}

test('push --wait hands over the only output on stdout', async () => {
  const { code, stdout, stderr } = await rowmill(['push', 'examples/plays.csv', '-p', 'song-plays', '--wait'], env)
  assert.deepEqual([code, stdout], [0, totals])
  assert.match(stderr, /^Task \w{26}\n$/)
})

test('without --wait it prints the id of the task, which tasks shows, lists and retries', async () => {
  const pushed = await called(['push', 'examples/plays.csv', '--pipeline', 'song-plays'], env)
  const id = pushed.stdout.trim()
  await until('the task has succeeded', async () => {
    const { stdout } = await called(['tasks', 'show', id, '--json'], env)
    return (JSON.parse(stdout) as { state: string }).state === 'succeeded'
  })
  const shown = (await called(['tasks', 'show', id], env)).stdout
  assert.match(shown, /state +succeeded\n/)
  assert.match(shown, /balance plays +7 records = 7 accepted \+ 0 rejected; 0 blank lines\n/)
  assert.match(
    (await called(['tasks', '--state', 'succeeded'], env)).stdout,
    new RegExp(`^${id} +succeeded +song-plays`, 'm'),
  )

  const cancelled = await rowmill(['tasks', 'cancel', id], env)
  assert.equal(cancelled.code, 1)
  assert.match(cancelled.stderr, /has ended \(succeeded\); it can no longer be cancelled/)
  const retried = await called(['tasks', 'retry', id], env)
  assert.match(retried.stdout, /^\w{26}\n$/)
  assert.notEqual(retried.stdout.trim(), id)
})

test('rejects that the pipeline keeps are saved beside the output: exit 3', async () => {
  const out = join(folder, 'kept')
  const ragged = await file('ragged.csv', 'a,b\n1,2\n3\n')
  const { code, stdout, stderr } = await rowmill(['push', ragged, '-p', 'profile', '--wait', '-o', out], env)
  assert.deepEqual([code, stdout], [3, ''])
  assert.match(stderr, /file +3 +b +missing-cell/)
  assert.deepEqual(await readdir(out), ['columns.ndjson', 'profile.ndjson', 'rejects.csv', 'rejects.fixable.csv'])
  assert.match(await readFile(join(out, 'profile.ndjson'), 'utf8'), /"filename":"ragged\.csv".*"row_count":2/)
})

test('a file that breaks its contract: exit 1, the reason and the first rejects', async () => {
  const out = join(folder, 'refused')
  const rows = Array.from({ length: 7 }, (_, i) => `Umbrella,2020-01-0${i + 1},x\n`)
  const bad = await file('bad.csv', `Song,Date,Number of Plays\n${rows.join('')}`)
  const { code, stdout, stderr } = await rowmill(['push', bad, '-p', 'song-plays', '--wait', '-o', out], env)
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /plays +2 +Number of Plays +type-error(.*\n)+… and 2 more\n.*\nrowmill: bad\.csv line 2.*x.*\n$/)
  assert.deepEqual(await readdir(out), ['rejects.csv'])
})

test('what was done already is told, with its results; --again does it once more', async () => {
  const path = await file('twice.csv', 'Song,Date,Number of Plays\nTwice,2020-01-02,2\n')
  const push = ['push', path, '-p', 'song-plays']
  const once = (await called(push, env)).stdout.trim()
  const told = new RegExp(`^Task ${once} (has done|is doing) this already\\. Add --again to do it once more\\.\\n`)
  const twice = await called([...push, '--wait'], env)
  assert.match(twice.stderr, new RegExp(`${told.source}Task ${once}\\n`))
  assert.deepEqual([twice.code, twice.stdout.split('\n')[1]], [0, 'Twice,2020-01-02,2'])
  assert.match((await called(push, env)).stderr, told)
  const again = await called([...push, '--again'], env)
  assert.deepEqual([again.code, again.stderr], [0, ''])
  assert.notEqual(again.stdout.trim(), once)
})

test('what was done already is told of a long file once it has been read', async () => {
  const rows = Array.from({ length: 600_000 }, (_, i) => `Long ${i},2020-01-02,1\n`)
  const path = await file('long.csv', `Song,Date,Number of Plays\n${rows.join('')}`)
  const small = { ...env, ROWMILL_STATE: join(folder, 'state') }
  const push = ['push', path, '-p', 'song-plays', '--wait', '-o', join(folder, 'long')]
  const first = await called([...push, '--parts', '2'], small)
  const [, id] = /^Task (\w{26})$/m.exec(first.stderr) ?? []
  const { code, stderr } = await called(push, small)
  assert.equal(code, 0, stderr)
  assert.match(stderr, new RegExp(`^Task ${id} has done this already\\. Add --again`, 'm'))
  assert.match(stderr, /totals\.csv: 600,000 rows/)
})

test('several files of one input are one task', async () => {
  const more = await file('more.csv', 'Song,Date,Number of Plays\nUmbrella,2020-01-02,750\n')
  const { code, stdout } = await called(['push', 'examples/plays.csv', more, '-p', 'song-plays', '--wait'], env)
  assert.deepEqual([code, stdout], [0, totals.replace(',250', ',1000')])
})

test('the files of a directory are one task, and their table is called after it', async () => {
  const plays = join(folder, 'sales')
  await mkdir(plays)
  await file('sales/a.csv', 'id,name\n1,Ada\n')
  await file('sales/b.csv', 'name,id\nBob,2\n')
  const { code, stderr } = await called(['push', plays, '-p', 'load', '--wait'], env)
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^warehouse sales: 2 rows/m)
})

test('what the service refuses is told in its words, and a wrong path before anything is sent', async () => {
  for (const [args, message] of [
    [['examples/plays.csv', '-p', 'song-play'], /There is no pipeline song-play\. Did you mean song-plays\?/],
    [['examples/plays.csv', '-p', 'song-plays', '--param', 'day=1'], /takes no params/],
    [[await empty('empty'), '-p', 'song-plays'], /empty is a directory without any files in it/],
    [['examples', 'none.csv', '-p', 'song-plays'], /examples is a directory\. Give the files in it/],
    [['examples', '--corrects', 'x'], /examples is a directory, and a correction is one file/],
    [['examples', '-p', 'song-play'], /There is no pipeline song-play\. Did you mean song-plays\?/],
    [['none.csv', '-p', 'song-plays'], /There is no file none\.csv/],
  ] as const) {
    const { error, stdout } = await called(['push', ...args], env)
    assert.ok(error instanceof AppError && error.code !== 'unavailable', args.join(' '))
    assert.equal(stdout, '')
    assert.match(error.message, message)
  }
})
