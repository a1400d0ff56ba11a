/** `rowmill clean`, as a user runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { CleanReport } from '../../src/csv/report.ts'
import { type Folder, mainCommand, temporaryFolder } from '../harness.ts'

suite('rowmill clean', () => {
  let folder: Folder
  before(async () => {
    folder = await temporaryFolder()
  })
  after(() => folder[Symbol.asyncDispose]())

  /** Runs it in the folder, with something on standard input. */
  const clean = async (args: readonly string[], input: Buffer | string = '') => {
    const [program = '', ...command] = mainCommand
    const child = spawn(program, [...command, 'clean', ...args], { cwd: folder.path })
    child.stdin.end(input)
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')])
    return { code: child.exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
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
      ['none.csv', 'a,b\n"1"x,1\n"2"y,2\n"3"z,3\n', /not one of 3 records is sound/],
      ['pdf.csv', '%PDF-1.7\n', /PDF/],
    ]
    for (const [name, content, why] of cases) {
      await put(name, content)
      await put('old.csv', 'as it was')
      const { code, stderr } = await clean([name, '-o', 'new.csv', '--report', 'new.json'])
      assert.equal(code, 1, name)
      assert.match(stderr, why)
      assert.ok(!stderr.includes('    at '), stderr)
      assert.equal(existsSync(folder.at('new.csv')) || existsSync(folder.at('new.json')), false, name)
      await clean([name, '-o', 'old.csv'])
      assert.equal(await read('old.csv'), 'as it was', name)
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
      const { code, stderr } = await clean([name])
      assert.deepEqual([code, why.test(stderr)], [1, true], `${name}: ${stderr.slice(0, 500)}`)
    }
  })

  test('writes no two things to one place, and nothing over what it reads', async () => {
    await put('in.csv', 'a,b\n1,2\n')
    for (const args of [
      ['--rejects', 'in.csv'],
      ['-o', 'x', '--report', './x'],
      ['--report', 'in.csv'],
    ]) {
      assert.equal((await clean(['in.csv', ...args])).code, 1, args.join(' '))
    }
    assert.equal(await read('in.csv'), 'a,b\n1,2\n')
    assert.equal((await clean(['in.csv', '-o', 'in.csv'])).code, 0)
    assert.match((await clean(['/dev/null'])).stderr, /is not a regular file/)
  })

  test('is called wrongly: exit 2', async () => {
    for (const args of [[], ['a.csv', 'b.csv'], ['a.csv', '--quote', 'ab'], ['a.csv', '--skip-lines', 'x']]) {
      assert.equal((await clean(args)).code, 2, args.join(' '))
    }
    assert.equal((await clean(['a.csv', '--encoding', 'latin2x'])).code, 1)
  })
})
