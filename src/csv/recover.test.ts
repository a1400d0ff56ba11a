import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { type Dialect, standardDialect } from './dialect.ts'
import type { Fault } from './fault.ts'
import { Kernel } from './kernel/kernel.ts'
import { readRecords } from './records.ts'

suite('what is no sound record', () => {
  let folder = ''
  let kernel: Kernel
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
    kernel = await Kernel.load()
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const read = async (content: string | Buffer, columns = 2, dialect: Dialect = standardDialect) => {
    const path = join(folder, 'file')
    const bytes = Buffer.from(content)
    await writeFile(path, bytes)
    const faults: Fault[] = []
    let rows = ''
    const tally = await readRecords(path, kernel, {
      dialect,
      names: ['a', 'b', 'c', 'd'].slice(0, columns),
      start: 0,
      line: 1,
      output: 'clean',
      shapes: false,
      write: async (written) => void (rows += written.toString()),
      onFault: async (fault) => void faults.push(fault),
      onProgress: () => {},
      simpleOnly: false,
      signal: new AbortController().signal,
    })
    // What a reject points at is the record, whole.
    const raws = faults.map(({ byteOffset, byteLength }) =>
      bytes.toString('latin1', byteOffset, byteOffset + byteLength),
    )
    return { rows, tally, raws, faults, told: faults.map(({ line, code, column }) => `${line} ${code} ${column}`) }
  }

  test('a record with too few or too many cells', async () => {
    const { rows, told, raws, faults } = await read('1,2\n3\n4,5,6\n7,8\n')
    assert.equal(rows, '1,2\n7,8\n')
    assert.deepEqual(told, ['2 missing-cell b', '3 extra-cell null'])
    assert.deepEqual(raws, ['3', '4,5,6'])
    assert.deepEqual(
      faults.map(({ record, cells }) => [record, cells]),
      [
        [2, ['3']],
        [3, ['4', '5', '6']],
      ],
    )
  })

  test('a record of 16 MiB is taken wherever it stands, and one byte more is not', async () => {
    const most = 16 << 20
    for (const head of ['', '1,2\n'.repeat(200_000)]) {
      for (const end of ['\r\n', '']) {
        const long = (length: number) => `${head}${'x'.repeat(length - 2)},1${end}`
        assert.deepEqual((await read(long(most))).told, [])
        assert.deepEqual((await read(long(most + 1))).told, [`${head.length / 4 + 1} long-record null`])
      }
    }
  })

  test('a broken quote costs a long line and no other', async () => {
    const long = `3,a"b${'x'.repeat(3 << 20)},z`
    const { rows, told } = await read(`1,2,3\n${long}\n4,short\n5,6,7\n8,9,10\n`, 3)
    assert.equal(rows, '1,2,3\n5,6,7\n8,9,10\n')
    assert.deepEqual(told, ['2 quote-error b', '3 missing-cell c'])
  })

  test('what is escaped is no quote and no delimiter where reading goes on', async () => {
    const dialect = { ...standardDialect, escape: '\\' }
    const { rows, told } = await read('1,2\n"x\\"y"z,5\n6\n7\\,8"9,1\n10\n11,12\n', 2, dialect)
    assert.equal(rows, '1,2\n11,12\n')
    assert.deepEqual(told, ['2 quote-error a', '3 missing-cell b', '4 quote-error a', '5 missing-cell b'])
  })

  test('lines behind broken records end as they do', async () => {
    const text = Array.from({ length: 200_000 }, (_, i) => (i % 10 === 0 ? `"${i}"x,\r` : `${i},"a"\r`)).join('')
    const { tally } = await read(text)
    assert.deepEqual(tally.lineEnds, { lf: 0, crlf: 0, cr: 200_000 })
  })

  test('the cells of a record that is no text are not told', async () => {
    const { faults } = await read(Buffer.from('1,2\n3,q\xffz\n', 'latin1'))
    assert.deepEqual([faults[0]?.code, faults[0]?.cells], ['encoding-error', null])
  })

  test('a quote inside a value costs that line and no other', async () => {
    const { rows, told, raws } = await read('1,2\n5" pipe,3\n4,6" pipe\n7,8\n')
    assert.equal(rows, '1,2\n7,8\n')
    assert.deepEqual(told, ['2 quote-error a', '3 quote-error b'])
    assert.deepEqual(raws, ['5" pipe,3', '4,6" pipe'])
  })

  test('so does text behind a quote', async () => {
    const { rows, told } = await read('1,"he said "hi" then"\n"x" ,2\n7,8\n')
    assert.equal(rows, '7,8\n')
    assert.deepEqual(told, ['1 quote-error b', '2 quote-error a'])
  })

  test('a quote never closed loses no record behind it', async () => {
    const { rows, told, raws, faults } = await read('1,2\n3,"never closed\n4,5\n6,7\n')
    assert.equal(rows, '1,2\n4,5\n6,7\n')
    assert.deepEqual([told, raws], [['2 quote-error b'], ['3,"never closed']])
    assert.match(faults[0]?.message ?? '', /opened and never closed$/)
  })

  test('nor when another quote closes it in the wrong place', async () => {
    const { rows, told, raws } = await read('1,"open\n2,"sound"\n3,"also"\n')
    assert.equal(rows, '2,sound\n3,also\n')
    assert.deepEqual([told, raws], [['1 quote-error b'], ['1,"open']])
  })

  test('lines of a broken text that look like rows are none', async () => {
    const { rows, told, raws, faults } = await read('1,"text "broken" here\nlooks,like a row\nand ends"\n2,3\n4,5\n')
    assert.equal(rows, '2,3\n4,5\n')
    assert.deepEqual(told, ['1 quote-error b'])
    assert.deepEqual(raws, ['1,"text "broken" here\nlooks,like a row\nand ends"'])
    assert.match(faults[0]?.message ?? '', /reading goes on at line 4$/)
  })

  test('a NUL, and bytes that are no text', async () => {
    const bytes = Buffer.concat([Buffer.from('1,2\n3,x\0y\n5,'), Buffer.of(0xe9, 0x20), Buffer.from('\n7,é\n')])
    const { rows, told, raws } = await read(bytes)
    assert.equal(rows, '1,2\n7,é\n')
    assert.deepEqual(told, ['2 nul-byte b', '3 encoding-error null'])
    assert.deepEqual(raws, ['3,x\0y', '5,é '])
  })

  test('a record longer than the most, ended or not', async () => {
    const long = 'x'.repeat(20 << 20)
    const { rows, told, raws, tally } = await read(`1,2\n3,${long}\n4,5\n6,"${long}`)
    assert.equal(rows, '1,2\n4,5\n')
    assert.deepEqual(told, ['2 long-record null', '4 long-record null'])
    assert.deepEqual(
      raws.map((raw) => raw.length),
      [(20 << 20) + 2, (20 << 20) + 3],
    )
    assert.equal(tally.records, 4)
  })

  test('a quote opened long before the end of the file', async () => {
    const rest = '4,5\n'.repeat(6 << 20)
    const { told, tally, faults } = await read(`1,2\n3,"open\n${rest}`)
    assert.deepEqual(told, ['2 long-record null'])
    assert.equal(faults[0]?.byteLength, 7)
    assert.equal(tally.records, (6 << 20) + 2)
  })

  test('blank lines and comments are none, and are counted', async () => {
    const { rows, tally, told } = await read('1,2\n\n#no, not\n\r\n3,4\n\n', 2, { ...standardDialect, comment: '#' })
    assert.equal(rows, '1,2\n3,4\n')
    assert.deepEqual([tally.records, tally.blankLines, tally.comments, told], [2, 3, 1, []])
  })

  test('many faults in a row, each of which reaches far', async () => {
    const { tally } = await read('"a\n'.repeat(100_000) + 'x"y\n'.repeat(100_000))
    assert.equal(tally.records, tally.rejected)
  })
})
