/** Files that break the contract: told with file, line and column, the same by `run` and by the service. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import type { TaskAnswer } from '../../src/cli/client.ts'
import {
  assertNoTrace,
  filesIn,
  type Folder,
  mainCommand,
  output,
  send,
  type Service,
  start,
  startService,
  taskEnds,
  temporaryFolder,
  text,
} from '../harness.ts'
import { called } from '../rowmill.ts'

const header = 'Song,Date,Number of Plays\n'
const good = 'Umbrella,2020-01-01,1\n'

interface Case {
  readonly what: string
  readonly file: string
  readonly body: string | Uint8Array
  /** How the message begins. */
  readonly message: string
  /** The rejects, each from its line to its code; none when the file has no records to reject. */
  readonly rejects: readonly string[]
  /** Records and how many of them are rejected; null when they could not be counted. */
  readonly balance: readonly [records: number, rejected: number] | null
}

const cases: readonly Case[] = [
  {
    what: 'a missing column',
    file: 'missing.csv',
    body: 'Song,Date\nUmbrella,2020-01-01\n',
    message: 'missing.csv line 1: column “Number of Plays” is missing. The columns are “Song”, “Date”; 3 are expected',
    rejects: [],
    balance: null,
  },
  {
    what: 'an extra column',
    file: 'extra.csv',
    body: 'Song,Date,Number of Plays,Label\nUmbrella,2020-01-01,1,X\n',
    message: 'extra.csv line 1: column “Label” is not expected.',
    rejects: [],
    balance: null,
  },
  {
    what: 'values of the wrong type',
    file: 'types.csv',
    body: `${header}${good}Umbrella,2020-02-30,1\n${good}Umbrella,yesterday,1.5\n`,
    message: 'types.csv line 3, column “Date”: “2020-02-30” is not a date (YYYY-MM-DD). 2 of 4 records are rejected',
    rejects: ['3,48,2,Date,type-error', '5,92,4,Date,type-error', '5,92,4,Number of Plays,type-error'],
    balance: [4, 2],
  },
  {
    what: 'a record that is too short',
    file: 'short.csv',
    body: `${header}${good}Umbrella,2020-01-01\n`,
    message: 'short.csv line 3, column “Number of Plays”: the record has 2 of the header’s 3 cells. 1 of 2 records is',
    rejects: ['3,48,2,Number of Plays,missing-cell'],
    balance: [2, 1],
  },
  {
    what: 'a record that is too long',
    file: 'long.csv',
    body: `${header}"Umbrella",2020-01-01,1,1\n${good}`,
    message: 'long.csv line 2: the record has 4 of the header’s 3 cells. 1 of 2 records is rejected',
    rejects: ['2,26,1,,extra-cell'],
    balance: [2, 1],
  },
  {
    what: 'a quote that is never closed',
    file: 'quote.csv',
    body: `${header}${good}"Umbrella,2020-01-01,1\n${good}`,
    message: 'quote.csv line 3, column “Song”: a quote is opened and never closed. 1 of 3 records is rejected',
    rejects: ['3,48,2,Song,quote-error'],
    balance: [3, 1],
  },
  {
    what: 'an empty file',
    file: 'empty.csv',
    body: '',
    message:
      'empty.csv cannot be read: it is empty: not even a header line. Send it again, with its header and its rows.',
    rejects: [],
    balance: null,
  },
  {
    what: 'a binary file',
    file: 'binary.csv',
    body: Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) % 256),
    message: 'binary.csv cannot be read: ',
    rejects: [],
    balance: null,
  },
  {
    what: 'text that is nearly UTF-8',
    file: 'broken.csv',
    body: Buffer.concat([
      Buffer.from(`${header}${good}Déjà Vu,2020-01-01,1\nÉté `),
      Buffer.of(0xe9),
      Buffer.from(',2020-01-01,1\n'),
    ]),
    message:
      'broken.csv line 4: there are bytes in it that are not text in the file’s encoding. 1 of 3 records is rejected',
    rejects: ['4,71,3,,encoding-error'],
    balance: [3, 1],
  },
]

let folder: Folder
let service: Service
before(async () => {
  folder = await temporaryFolder()
  service = await startService({ data: folder.at('data') })
})
after(async () => {
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** `run -o`: what it tells, and what it leaves. */
async function run(file: string) {
  const out = folder.at('out', file)
  await using program = start([...mainCommand, 'run', 'song-plays', folder.at(file), '-o', out], {
    cwd: folder.path,
    env: {},
  })
  const code = await program.exited
  assert.equal(program.stdout(), '')
  assertNoTrace(program.stderr())
  return { code, stderr: program.stderr(), files: await filesIn(out), out }
}

/** The same in this process. That the shell is told by the exit code is seen of what is no file. */
async function runInside(file: string) {
  const out = folder.at('out', file)
  const { code, error, stdout, stderr } = await called(['run', 'song-plays', folder.at(file), '-o', out])
  assert.equal(error, undefined)
  assert.equal(stdout, '')
  assertNoTrace(stderr)
  return { code, stderr, files: await filesIn(out), out }
}

/** The same by the service. */
async function work(file: string, body: string | Uint8Array): Promise<TaskAnswer> {
  const { task } = await send(service, body, { name: file, pipeline: 'song-plays' })
  return taskEnds(service, task)
}

suite('a file that breaks the contract is rejected', { concurrency: 2 }, () => {
  for (const { what, file, body, message, rejects, balance } of cases) {
    test(what, async () => {
      await writeFile(folder.at(file), body)
      const [ran, task] = await Promise.all([runInside(file), work(file, body)])

      assert.equal(task.state, 'failed')
      assert.equal(task.error?.code, 'rejected')
      assert.ok(task.error.message.startsWith(message), task.error.message)
      assert.equal(task.attempt, 1)
      assert.equal(ran.code, 1)
      assert.ok(ran.stderr.endsWith(`rowmill: ${task.error.message}\n`), ran.stderr)

      assert.deepEqual(task.outputs, [])
      assert.deepEqual(ran.files, rejects.length > 0 ? ['rejects.csv'] : [])
      const [records, rejected] = balance ?? []
      assert.deepEqual(
        task.balances,
        balance === null
          ? null
          : {
              inputs: { plays: { records, accepted: Number(records) - Number(rejected), rejected, blankLines: 0 } },
              outputs: {},
            },
      )

      assert.equal(task.rejects?.count ?? 0, rejects.length)
      if (task.rejects === null) return
      const csv = await text(await fetch(service.url + task.rejects.url))
      assert.equal(csv, await readFile(`${ran.out}/rejects.csv`, 'utf8'))
      const [names, ...lines] = csv.split(/\r?\n(?=plays,|$)/)
      assert.equal(names, 'input,line,byte_offset,record,column,code,message,raw')
      assert.deepEqual(
        lines.slice(0, -1).map((line) => line.split(',').slice(1, 6).join(',')),
        rejects,
      )
    })
  }
})

test('nothing of what was rejected is delivered, and the service’s own words hold no stack trace', async () => {
  const stored = await filesIn(folder.at('data', 'blobs', 'results'))
  assert.equal(stored.length, cases.filter(({ rejects }) => rejects.length > 0).length)
  for (const path of stored) assert.match(path, /\/rejects\.csv$/)
  assertNoTrace(service.stdout() + service.stderr())
})

test('a header alone succeeds with no rows and a warning', async () => {
  const file = 'header.csv'
  await writeFile(folder.at(file), header)
  const [ran, task] = await Promise.all([run(file), work(file, header)])
  assert.equal(ran.code, 0)
  assert.match(ran.stderr, /^Warning: header\.csv: the file has a header and no rows$/m)
  assert.deepEqual(ran.files, ['totals.csv'])
  assert.equal(task.state, 'succeeded')
  assert.deepEqual(task.warnings, [{ code: 'no-rows', message: 'header.csv: the file has a header and no rows' }])
  assert.deepEqual(
    task.outputs.map(({ name, rows }) => [name, rows]),
    [['totals', 0]],
  )
  const totals = 'Song,Date,Total Number of Plays for Date\n'
  assert.equal(await readFile(`${ran.out}/totals.csv`, 'utf8'), totals)
  assert.equal(await output(service, task, 'totals'), totals)
})

test('what is no file is told apart, and named', async () => {
  await mkdir(folder.at('folder.csv'))
  const push = async (path: string) => {
    const command = [...mainCommand, 'push', path, '--pipeline', 'song-plays']
    await using program = start(command, { cwd: folder.path, env: { ROWMILL_URL: service.url } })
    return { code: await program.exited, stderr: program.stderr() }
  }
  for (const [file, reason] of [
    ['folder.csv', 'is a directory'],
    ['absent.csv', '(does not exist|no file)'],
  ] as const) {
    const told = await Promise.all([run(file), push(folder.at(file))])
    for (const { code, stderr } of told) {
      assert.equal(code, 1)
      assert.match(stderr, new RegExp(`^rowmill: .*${reason}`))
      assert.ok(stderr.includes(folder.at(file)), stderr)
      assertNoTrace(stderr)
    }
    assert.deepEqual(told[0].files, [])
  }
})
