/** `rowmill clean`, as a user runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { CommanderError } from 'commander'
import type { CleanReport } from '../../src/csv/report.ts'
import { AppError } from '../../src/errors.ts'
import { type Folder, mainCommand, temporaryFolder, until } from '../harness.ts'
import { called } from '../rowmill.ts'
import { noSmallDisk, onSmallDisk } from '../small-disk.ts'

const needsDisk = noSmallDisk()
const diskBytes = 1_000_000

suite('rowmill clean', () => {
  let folder: Folder
  before(async () => {
    folder = await temporaryFolder()
    process.chdir(folder.path)
  })
  after(() => folder[Symbol.asyncDispose]())

  /** Runs it in the folder, with something on standard input. */
  const clean = (args: readonly string[], input: Buffer | string = '') => run([...mainCommand, 'clean', ...args], input)

  const run = async ([program = '', ...args]: readonly string[], input: Buffer | string = '', env = process.env) => {
    const child = spawn(program, args, { cwd: folder.path, env })
    // It may have ended before it has read all.
    child.stdin.on('error', () => {}).end(input)
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')])
    return { code: child.exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
  }

  /** The message with which it is refused, in this process: it is the exit code and the stack that others tell of. */
  const refusal = async (args: readonly string[]): Promise<string> => {
    const { error, stdout } = await called(['clean', ...args])
    assert.equal(stdout, '', args.join(' '))
    assert.ok(error instanceof AppError && error.code !== 'unavailable' && error.code !== 'internal', args.join(' '))
    return error.message
  }

  const put = (name: string, content: Buffer | string) => writeFile(folder.at(name), content)
  const read = (name: string) => readFile(folder.at(name), 'utf8')

  test('makes plain CSV of a German export, and says what it took it for', async () => {
    const text = 'Export vom 1.2.2024\r\n\r\nName;Ort;Preis\r\n"Müller; Söhne";Köln;1,50\r\nGroß;"Zürich";20,00\r\n'
    await put('export.csv', Buffer.from(text, 'latin1'))
    const args = ['export.csv', '-o', 'clean.csv', '--report', 'report.json', '--rejects', 'rejects.csv']
    const { code, stdout, stderr } = await clean(args)
    assert.deepEqual([code, stdout], [0, ''])
    assert.equal(await read('clean.csv'), 'Name,Ort,Preis\nMüller; Söhne,Köln,"1,50"\nGroß,Zürich,"20,00"\n')
    assert.equal(await read('rejects.csv'), 'input,line,byte_offset,record,column,code,message,raw\n')
    assert.match(stderr, /Warning: read as windows-1252/)
    assert.match(stderr, /export.csv: 2 records = 2 rows \+ 0 rejects \(windows-1252, “;”, header on line 3\)\n$/)
    const report: CleanReport = JSON.parse(await read('report.json'))
    assert.deepEqual([report.dialect.delimiter, report.encoding.how, report.preamble.lines], [';', 'guess', 2])
    assert.deepEqual(
      report.warnings.map(({ code: warning }) => warning),
      ['encoding-guess', 'preamble', 'decimal-comma'],
    )
  })

  test('tells rejects with their place in the bytes that came, and exits with 3', async () => {
    const text = 'id,name\n1,Zoë\n2\n3,"a "b"\n4,Ann\n'
    await put('bad.csv', Buffer.from(`\ufeff${text}`, 'utf16le'))
    const { code, stdout, stderr } = await clean(['bad.csv', '--rejects', 'rejects.csv'])
    assert.deepEqual([code, stdout], [3, 'id,name\n1,Zoë\n4,Ann\n'])
    assert.match(stderr, /bad.csv +3 +name +missing-cell/)
    const [, ...lines] = (await read('rejects.csv')).split('\n')
    // Two bytes a character, and the mark.
    assert.match(lines[0] ?? '', new RegExp(`^bad.csv,3,${2 + 2 * text.indexOf('2\n')},2,name,missing-cell,.*,2$`))
    assert.match(lines[1] ?? '', new RegExp(`^bad.csv,4,${2 + 2 * text.indexOf('3,')},3,name,quote-error,`))
  })

  test('reads standard input, compressed or not, by the options given', async () => {
    const { code, stdout } = await clean(
      ['-', '--delimiter', '\\t', '--no-header', '--quote', ''],
      gzipSync('1\t"a"\n2\tb\n'),
    )
    assert.deepEqual([code, stdout], [0, 'column_1,column_2\n1,"""a"""\n2,b\n'])
    const given = await clean(
      ['-', '--skip-lines', '1', '--comment', '#', '--escape', '\\', '--header'],
      'x\na,b\n#c\n"1\\"",2\n',
    )
    assert.deepEqual([given.code, given.stdout], [0, 'a,b\n"1""",2\n'])
  })

  test('leaves no output of what cannot be trusted, and exits with 1', async () => {
    const zeros = gzipSync(Buffer.alloc(1 << 20))
    const cases: readonly (readonly [name: string, content: Buffer | string, why: RegExp])[] = [
      ['empty.csv', '', /it is empty/],
      ['blank.csv', ' \n\n', /it is blank/],
      ['cut.csv.gz', gzipSync('a,b\n1,2\n'.repeat(1000)).subarray(0, -12), /ends in the middle/],
      ['header.csv', '"a,b\n1,2\n', /header/],
      ['zeros.gz', zeros, /binary file|no text/],
      ['pdf.csv', '%PDF-1.7\n', /PDF/],
    ]
    for (const [name, content, why] of cases) {
      await put(name, content)
      await put('old.csv', 'as it was')
      assert.match(await refusal([name, '-o', 'new.csv', '--report', 'new.json']), why)
      assert.equal(existsSync(folder.at('new.csv')) || existsSync(folder.at('new.json')), false, name)
      await refusal([name, '-o', 'old.csv'])
      assert.equal(await read('old.csv'), 'as it was', name)
    }
    const { code, stderr } = await clean(['cut.csv.gz'])
    assert.equal(code, 1)
    assert.ok(!stderr.includes('    at '), stderr)
  })

  test('of a file with no sound record leaves what may tell why: rejects, report and warnings', async () => {
    await put('none.csv', 'a,b\n"1"x,1\n"2"y,2\n"3"z,3\n')
    const { code, stderr } = await clean([
      'none.csv',
      '-o',
      'none.out',
      '--rejects',
      'none.rejects',
      '--report',
      'none.json',
    ])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /none\.csv: 3 records = 0 rows \+ 3 rejects .*\nrowmill: none\.csv: not one of 3 records is sound/s,
    )
    assert.equal(existsSync(folder.at('none.out')), false)
    assert.equal((await read('none.rejects')).split('\n').length, 5)
    assert.deepEqual(JSON.parse(await read('none.json')).rejects, { total: 3, by_code: { 'quote-error': 3 } })
  })

  test('writes into a pipe that the shell has opened, and to no descriptor that it has not', async () => {
    await put('few.csv', 'a,b\n1,2\n')
    const sh = (script: string) => run(['sh', '-c', script, ...mainCommand, 'clean', 'few.csv', '-o'])
    assert.equal((await sh('{ "$0" "$@" /dev/fd/3 3>&1 >/dev/null; } | cat')).stdout, 'a,b\n1,2\n')
    for (const descriptor of [5, 6, 7, 8, 9]) {
      const { code, stderr } = await sh(`"$0" "$@" /dev/fd/${descriptor}`)
      assert.equal(code, 1)
      assert.match(stderr, /nothing is open there|cannot be written/)
    }
    await symlink('loop.csv', folder.at('loop.csv'))
    assert.match(await refusal(['loop.csv']), /loop\.csv is a link that leads nowhere/)
  })

  test('leaves nothing where one of the places cannot be written to', async () => {
    await put('fine.csv', 'a,b\n1,2\n3\n')
    for (const bad of [folder.at('nowhere/report.json'), '/dev/full']) {
      const args = ['fine.csv', '-o', 'fine.out', '--rejects', 'fine.rejects', '--report', bad]
      assert.match(await refusal(args), /cannot be written/)
      assert.equal(existsSync(folder.at('fine.out')) || existsSync(folder.at('fine.rejects')), false)
    }
  })

  test('ends in a clear error for what is made to overwhelm it', async () => {
    const cases: readonly (readonly [name: string, content: Buffer | string, why: RegExp])[] = [
      [
        'columns.csv',
        `${Array.from({ length: 20_000 }, (_, i) => `c${i}`).join(',')}\n`,
        /20000 columns; 4096 are the most/,
      ],
      ['names.csv', `${'a,'.repeat(300_000)}\n${'1,'.repeat(300_000)}\n`, /300001 columns; 4096 are the most/],
      ['line.csv', Buffer.alloc(64 << 20, 'x'), /the header is longer than 1 MiB/],
      ['nuls.csv', Buffer.alloc(32 << 20), /binary|no text/],
    ]
    for (const [name, content, why] of cases) {
      await put(name, content)
      const message = await refusal([name])
      assert.ok(why.test(message), `${name}: ${message.slice(0, 500)}`)
    }
  })

  test('writes no two things to one place, and nothing over what it reads', async () => {
    await put('in.csv', 'a,b\n1,2\n')
    await symlink('in.csv', folder.at('same.csv'))
    for (const [args, why] of [
      [['--rejects', 'in.csv'], /The list of rejects would go to in.csv, the file that is to be read/],
      [['--rejects', 'same.csv'], /The list of rejects would go to same.csv, the file that is to be read/],
      [['--report', 'in.csv'], /The report would go to in.csv/],
      [['-o', 'x', '--report', './x'], /The clean file and the report would both go to \.\/x/],
      [['--rejects', '-'], /The clean file and the list of rejects would both go to standard output/],
      [['-o', '-', '--report', '/dev/stdout'], /The clean file and the report would both go to standard output/],
      [['-o', 'x', '--rejects', '-', '--report', '-'], /The list of rejects and the report would both go to standard/],
    ] as const) {
      assert.match(await refusal(['in.csv', ...args]), why)
    }
    assert.equal(await read('in.csv'), 'a,b\n1,2\n')
    assert.equal(existsSync(folder.at('x')), false)
    assert.equal((await clean(['in.csv', '-o', 'in.csv'])).code, 0)
    assert.match(await refusal(['/dev/null']), /is not a regular file/)
  })

  test('writes to standard output by any of its names, and to what else is open, and replaces neither', async () => {
    await put('two.csv', 'a;b\n1;2\n3\n')
    const cleaned = 'a,b\n1,2\n'
    const rejects = /^input,.*\ntwo.csv,3,.*,3\n$/
    for (const [args, expected] of [
      [['-o', '-'], cleaned],
      [['-o', '/dev/stdout'], cleaned],
      [['-o', '/proc/self/fd/1', '--rejects', '/dev/fd/3'], cleaned],
      [['-o', 'out.csv', '--rejects', '-'], rejects],
      [['-o', 'out.csv', '--report', '/dev/fd/1'], /^\{\n {2}"file": "two.csv",.*\}\n$/s],
    ] as const) {
      await put('stdout', 'as it was\n')
      await put('other', 'as it was\n')
      const { ino } = await stat(folder.at('stdout'))
      await using stdout = await open(folder.at('stdout'), 'a')
      await using other = await open(folder.at('other'), 'a')
      const [program = '', ...command] = mainCommand
      const child = spawn(program, [...command, 'clean', 'two.csv', ...args], {
        cwd: folder.path,
        stdio: ['ignore', stdout.fd, 'ignore', other.fd],
      })
      await once(child, 'close')
      assert.equal(child.exitCode, 3, args.join(' '))
      const [, text = ''] = (await read('stdout')).split('as it was\n')
      if (typeof expected === 'string') assert.equal(text, expected)
      else assert.match(text, expected)
      assert.equal((await stat(folder.at('stdout'))).ino, ino)
      assert.match((await read('other')).replace('as it was\n', ''), args.at(-1) === '/dev/fd/3' ? rejects : /^$/)
    }
    assert.equal(existsSync(folder.at('-')), false)
  })

  test('leaves nothing when it is interrupted', async () => {
    await put('long.csv', `a,b\n${'1\n1,2\n'.repeat(1 << 20)}`)
    const [program = '', ...command] = mainCommand
    const args = ['clean', 'long.csv', '--rejects', 'list.csv', '--report', 'list.json']
    // Nobody reads its output, so that it comes to no end by itself.
    const child = spawn(program, [...command, ...args], { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe'] })
    const told = buffer(child.stderr)
    const left = async () => (await readdir(folder.path)).filter((name) => name.includes('list.'))
    await until('it has begun', async () => (await left()).length > 0)
    child.kill('SIGINT')
    child.stdout.resume()
    await once(child, 'close')
    const stderr = (await told).toString().replaceAll(/^Reading: .*\n/gm, '')
    assert.deepEqual([child.exitCode, stderr, await left()], [130, '', []])
  })

  test('names the place whose disk is full', async () => {
    await put('small.csv', 'a,b\n1,2\n3\n')
    for (const args of [
      ['-o', '/dev/full'],
      ['-o', 'out.csv', '--rejects', '/dev/full'],
      ['-o', 'out.csv', '--report', '/dev/full'],
    ]) {
      const full = /^\/dev\/full cannot be written \(its disk is full\)\. Free some space there, or/
      assert.match(await refusal(['small.csv', ...args]), full)
    }
  })

  test('names the disk of the temporary folder when that is full, and so does run', { skip: needsDisk }, async () => {
    await mkdir(folder.at('disk'))
    await put('large.csv', `a,b\n${'"1",2\n'.repeat(1 << 19)}`)
    await put('large.csv.gz', gzipSync(await read('large.csv')))
    const env = { ...process.env, TMPDIR: folder.at('disk') }
    const full = `rowmill: The disk of the temporary folder, ${folder.at('disk')}, is full. Free some space there, or point TMPDIR at a folder on a larger disk.\n`
    for (const [args, input] of [
      [['clean', 'large.csv.gz', '-o', 'unmade.csv'], ''],
      [['clean', '-', '-o', 'unmade.csv'], await read('large.csv')],
      [['run', 'profile', 'large.csv', '-o', 'none'], ''],
    ] as const) {
      const { code, stderr } = await run(
        onSmallDisk(folder.at('disk'), diskBytes, [...mainCommand, ...args]),
        input,
        env,
      )
      assert.equal(code, 1, args.join(' '))
      assert.ok(stderr.endsWith(full), stderr)
    }
    assert.equal(existsSync(folder.at('unmade.csv')), false)
  })

  test('shows nothing of a file in a way that could steer a terminal, and writes it as it is', async () => {
    const name = 'x\u001b[31m\nrowmill: all is well.csv'
    const text = 'a\u001b[2J,b\n1,\u009b31m\n"2\n3"\n'
    await put(name, text)
    const { code, stdout, stderr } = await clean([name, '--rejects', 'shown.csv'])
    assert.deepEqual([code, stdout], [3, 'a\u001b[2J,b\n1,\u009b31m\n'])
    assert.doesNotMatch(stderr, /(?!\n)\p{Cc}/u)
    assert.doesNotMatch(stderr, /^rowmill: all is well/m)
    assert.match(stderr, /^x\\x1b\[31m\\nrowmill: all is well\.csv: 2 records = /m)
    assert.ok((await read('shown.csv')).includes(`"${name}",3,`))
    const refused = await clean([`no ${name}`])
    assert.equal(refused.stderr, 'rowmill: no x\\x1b[31m\\nrowmill: all is well.csv does not exist.\n')
  })

  test('names a delimiter that cannot be seen', async () => {
    await put('unit.csv', 'a\u001fb\n1\u001f2\n')
    assert.match((await called(['clean', 'unit.csv'])).stderr, /\(utf-8, U\+001F, header on line 1\)\n$/)
    await put('tab.csv', 'a\tb\n1\t2\n')
    assert.match((await called(['clean', 'tab.csv'])).stderr, /\(utf-8, a tab, header on line 1\)\n$/)
  })

  test('is called wrongly: exit 2', async () => {
    for (const args of [[], ['a.csv', 'b.csv'], ['a.csv', '--quote', 'ab'], ['a.csv', '--skip-lines', 'x']]) {
      const { error } = await called(['clean', ...args])
      assert.ok(error instanceof CommanderError && error.exitCode !== 0, args.join(' '))
    }
    // Before anything is read: there is no such file.
    const { code, stderr } = await clean(['a.csv', '--encoding', 'latin2x'])
    assert.equal(code, 2)
    assert.match(stderr, /“latin2x” is no encoding/)
  })
})
