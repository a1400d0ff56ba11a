import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Command, CommanderError } from 'commander'
import { mainCommand, start, until } from '../../test/harness.ts'
import { called, rowmill } from '../../test/rowmill.ts'
import { AppError } from '../errors.ts'
import { createProgram } from './commands.ts'

const folder = await mkdtemp(join(tmpdir(), 'rowmill-cli-'))
const plays = fileURLToPath(new URL('../../examples/plays.csv', import.meta.url))
after(() => rm(folder, { recursive: true }))

test('help is shown with examples by every command, and exits 0', async () => {
  const { code, stdout } = await rowmill(['--help'])
  assert.equal(code, 0)
  assert.match(stdout, /Examples:\n {2}npm start/)
  const commands = createProgram(async () => {}).commands
  assert.deepEqual(
    commands.map((command) => command.name()),
    ['serve', 'run', 'clean', 'push', 'tasks', 'pipelines', 'generate', 'config', 'migrate'],
  )
  for (const command of commands) assert.match(helpOf(command), /Examples:\n {2}\S*.*\.\/rowmill/, command.name())
})

/** With what is added after commander's own. */
function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  return help
}

test('wrong usage exits 2 and says what is right', async () => {
  for (const [args, message] of [
    [[], /Usage: rowmill/],
    [['push', 'a.csv'], /required option .*--pipeline/],
    [['push', 'a.csv', '-p', 'x', '--param', 'day'], /NAME=VALUE/],
    [['push', 'a.csv', '-p', 'x', '--corrects', 'y'], /--corrects <ID>' cannot be used with .*--pipeline/],
    [['push', 'a.csv', '--param', 'a=b', '--corrects', 'y'], /--corrects <ID>' cannot be used with .*--param/],
    [['push', 'a.csv', '--set', 'b', '--corrects', 'y'], /--corrects <ID>' cannot be used with .*--set/],
    [['push', 'a.csv', 'b.csv', '--corrects', 'y'], /--corrects takes one file/],
    [['push', 'a.csv', '-p', 'x', '--parts', '65'], /whole number, from 1 to 64/],
    [['generate', 'plays', '--rows', '1e6'], /whole number, 0 or more/],
    [['generate', 'customers'], /required option .*--rows/],
    [['generate', 'customers', '--rows', '9', '--bad', '2'], /--bad .* is invalid\. It is a share from 0 to 1/],
    [['generate', 'customers', '--rows', '9', '--bad', '-0.1'], /It is a share from 0 to 1/],
    [['generate', 'customers', '--rows', '9', '--parts', '0'], /whole number, from 1 to 500/],
    [['generate', 'customers', '--rows', '9', '--parts', '501', '-o', 'c.csv'], /whole number, from 1 to 500/],
    [['generate', 'customers', '--rows', '9', '--parts', '2'], /^error: --parts needs -o FILE/],
    [['generate', 'customers', '--rows', '9', '--parts', '2', '-o', '-'], /^error: --parts needs -o FILE/],
    [['tasks', '--state', 'done'], /Allowed choices are queued/],
    [['clean', 'a.csv', '--delimiter', ';', '--quote', ';'], /^error: --delimiter has the quote in it/],
    [['clean', 'a.csv', '--comment', '##'], /^error: --comment is not one ASCII character/],
    [['clean', 'a.csv', '--delimiter', ''], /^error: --delimiter is empty/],
    [['clean', 'a.csv', '--header', '--no-header'], /^error: --header and --no-header are both given/],
    [['clean', '--\u001b[31m'], /^error: unknown option '--\\x1b\[31m'/],
  ] as const) {
    const { error, stdout, stderr } = await called(args)
    assert.ok(error instanceof CommanderError && error.exitCode !== 0, args.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, message)
  }
  const { code, stdout, stderr } = await rowmill(['pipeline'])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /Did you mean pipelines\?/)
})

test('what is refused exits 1 with one line and no stack', async () => {
  for (const [args, env, message] of [
    [['config'], { ROWMILL_PROT: '1' }, /^rowmill: ROWMILL_PROT is not a setting\. Did you mean ROWMILL_PORT\?\n$/],
    [['run', 'song-plays', 'a\u001b[31m\n.csv'], {}, /^rowmill: a\\x1b\[31m\\n\.csv does not exist\.\n$/],
  ] as const) {
    const { code, stdout, stderr } = await rowmill(args, env)
    assert.equal(code, 1, args.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, / {4}at /)
  }
  for (const [args, env, message] of [
    [['pipelines', 'show', 'song'], {}, /^There is no pipeline song\. .*profile, song-plays\.$/],
    [['pipelines'], { ROWMILL_PIPELINES: join(folder, 'none') }, /^The folder of pipelines .* cannot be read/],
    [['generate', 'plays', '--rows', '1', '-o', folder], {}, /^.* cannot be written \(EISDIR\)\./],
    [
      ['run', 'song-plays', 'a.csv', '--param', 'reader.delimiter="'],
      {},
      /^Input plays: reader\.delimiter has the quote in it .*\.$/,
    ],
  ] as const) {
    const { error, stdout, stderr } = await called(args, env)
    assert.ok(error instanceof AppError && error.code !== 'unavailable', args.join(' '))
    assert.deepEqual([stdout, stderr], ['', ''])
    assert.match(error.message, message)
  }
})

test('without a service, push and tasks exit 4 and say how to start one', async () => {
  await writeFile(join(folder, 'a.csv'), 'a\n1\n')
  // Port 2 is tcpmux's, which nobody runs.
  const env = { ROWMILL_PORT: '2' }
  const { code, stderr } = await rowmill(['tasks'], env)
  assert.equal(code, 4)
  assert.match(stderr, /^rowmill: No Rowmill answers at http:\/\/127\.0\.0\.1:2\. Start it with `npm start`/)
  const { error } = await called(['push', join(folder, 'a.csv'), '-p', 'profile'], env)
  assert.ok(error instanceof AppError && error.code === 'unavailable')
  assert.match(error.message, /^No Rowmill answers at http:\/\/127\.0\.0\.1:2\. Start it with `npm start`/)
})

test('- as an output is standard output, wherever that is what there is without one', async () => {
  const generate = ['generate', 'plays', '--rows', '2']
  const run = ['run', 'song-plays', 'examples/plays.csv']
  for (const [command, place] of [
    [generate, '-'],
    [generate, '/dev/stdout'],
    [run, '-'],
  ] as const) {
    const { code, stdout, stderr } = await rowmill([...command, '-o', place])
    assert.deepEqual([code, stdout], [0, (await called(command)).stdout], stderr)
  }
})

test('a reader that has seen enough ends the command quietly', async () => {
  const rows = ['generate', 'plays', '--rows', '3000000']
  await writeFile(join(folder, 'long.csv'), `a,b\n${'1\n1,2\n'.repeat(1 << 20)}`)
  await mkdir(join(folder, 'temporary'))
  for (const args of [rows, [...rows, '-o', '/dev/stdout'], ['clean', 'long.csv', '--rejects', 'list.csv']]) {
    // The exit code of the first, not of `head`; nobody but it writes to the third descriptor.
    const script = '{ "$0" "$@"; echo $? >&3; } 3>&2 2>errors | head -n 1'
    const env = { TMPDIR: join(folder, 'temporary') }
    await using program = start(['sh', '-c', script, ...mainCommand, ...args], { cwd: folder, env })
    await program.exited
    assert.match(program.stdout(), /^[^\n]+\n$/)
    assert.equal(program.stderr(), '141\n', args.join(' '))
    assert.equal((await readFile(join(folder, 'errors'), 'utf8')).replaceAll(/^Reading: .*\n/gm, ''), '')
  }
  assert.deepEqual(await readdir(join(folder, 'temporary')), [])
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('list.csv')),
    [],
  )
})

test('standard output that cannot be written fails the command, and says why', async () => {
  for (const args of [['config'], ['generate', 'plays', '--rows', '9'], ['run', 'song-plays', plays]]) {
    const command = ['sh', '-c', '"$0" "$@" >/dev/full', ...mainCommand, ...args]
    await using program = start(command, { cwd: folder, env: {} })
    assert.equal(await program.exited, 1, args.join(' '))
    assert.match(program.stderr(), /^rowmill: Standard output cannot be written \(its disk is full\)\. .*\n$/m)
  }
})

test('an interrupt ends the command with 130', async () => {
  const command = [...mainCommand, 'generate', 'plays', '--rows', '900000000', '-o', '/dev/null']
  await using program = start(command, { cwd: folder, env: {} })
  await until('it shows its progress', () => program.stderr() !== '')
  program.send('SIGINT')
  assert.equal(await program.exited, 130)
  assert.match(program.stderr(), /^(Generating: .*\n)+$/)
})

test('config shows where a value comes from, and writes the page of settings', async () => {
  const { stdout } = await rowmill(['config', '--json'], { ROWMILL_PORT: '8000' })
  const rows = JSON.parse(stdout) as { name: string; value: string; source: string }[]
  assert.deepEqual(
    rows.find(({ name }) => name === 'ROWMILL_PORT'),
    {
      name: 'ROWMILL_PORT',
      value: '8000',
      source: 'environment',
    },
  )
  const page = (await rowmill(['config', '--markdown'], { ROWMILL_PORT: '8000' })).stdout
  assert.match(page, /^# Settings\n/)
  assert.match(page, /\| `ROWMILL_PORT` \| `5000` \| Port to listen on/)
})

test('pipelines are listed, shown, linted with line numbers and tested', async () => {
  const env = { ROWMILL_PIPELINES: folder }
  await writeFile(
    join(folder, 'mine.yaml'),
    `about: Mine.
inputs:
  plays: { columns: { Song: string } }
outputs:
  songs:
    to: results
    sql: |
      SELECT Song,
        Date
      FROM plays
`,
  )
  assert.match((await rowmill(['pipelines'], env)).stdout, /^load .*\nmine +Mine\.\nprofile .*\nsong-plays .*\n$/)
  assert.equal(
    (await called(['pipelines', 'show', 'mine'], env)).stdout,
    await readFile(join(folder, 'mine.yaml'), 'utf8'),
  )

  const lint = await called(['pipelines', 'lint', 'mine', 'song-plays'], env)
  assert.equal(lint.code, 1)
  assert.match(lint.stdout, /mine\.yaml:9: outputs\.songs\.sql: .*Date.*\n✓ song-plays\n$/)

  await writeFile(
    join(folder, 'ruled.yaml'),
    `about: Rules that no file can keep.
inputs:
  plays:
    columns:
      Song: { pattern: "(?=a)" }
      Date: date
      Plays:
        type: integer
        minimum: few
  songs:
    schema:
      fields:
        - name: Song
        - name: Since
          type: date
          constraints:
            enum: [2020-01-01, 2020-02-30]
outputs:
  songs: { to: results, sql: FROM plays }
`,
  )
  const ruled = await called(['pipelines', 'lint', join(folder, 'ruled.yaml')])
  assert.equal(ruled.code, 1)
  assert.deepEqual(ruled.stdout.replaceAll(/^.*ruled\.yaml:/gm, '').split('\n'), [
    '5: inputs.plays.columns.Song.pattern is no pattern in the syntax of RE2: invalid perl operator: (?=',
    '9: inputs.plays.columns.Plays.minimum is "few", which is not an integer of at most 64 bits',
    '17: inputs.songs.schema.fields.1.constraints.enum is "2020-02-30", which is not a date (YYYY-MM-DD)',
    '',
  ])

  await rm(join(folder, 'ruled.yaml'))
  const untested = await called(['pipelines', 'test', 'mine'], env)
  assert.equal(untested.code, 1)
  assert.match(untested.stdout, /^✗ mine: has no cases that can be run\n.*There is no file .*mine\.test\.yaml/)

  await writeFile(
    join(folder, 'mine.yaml'),
    'about: x\ninputs: { plays: { columns: { n: integer } } }\noutputs: { sum: { to: results, sql: SELECT sum(n) AS n FROM plays } }\n',
  )
  await writeFile(
    join(folder, 'mine.test.yaml'),
    `cases:
  - { name: right, inputs: { plays: "n\\n1\\n2\\n" }, expect: { outputs: { sum: "n\\n3\\n" } } }
  - { name: wrong, inputs: { plays: "n\\n1\\n2\\n" }, expect: { outputs: { sum: "n\\n4\\n" } } }
`,
  )
  const tested = await rowmill(['pipelines', 'test', 'mine'], env)
  assert.equal(tested.code, 1)
  assert.equal(
    tested.stdout,
    '✓ mine: right\n✗ mine: wrong\n    sum, from line 2: expected -, got +\n    - 4\n    + 3\n1 of 2 cases hold.\n',
  )
})
