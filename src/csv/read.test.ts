import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { AppError } from '../errors.ts'
import { flatColumns, flatDelimiter } from './flat.ts'
import { examine, readFlat, readPlain } from './read.ts'
import type { Fault } from './reading.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-read-'))
})
after(() => rm(folder, { recursive: true }))

const quiet = { name: 'test.csv', signal: new AbortController().signal, onProgress: () => {} }

async function facts(content: Uint8Array | string) {
  const path = join(folder, 'file.csv')
  await writeFile(path, content)
  return { path, facts: await examine(path, { ...quiet, hash: false }) }
}

async function flat(content: Uint8Array | string) {
  const file = await facts(content)
  const faults: Fault[] = []
  const onFault = async (fault: Fault) => void faults.push(fault)
  const reading = await readFlat(file.path, join(folder, 'flat'), file.facts, { ...quiet, onFault })
  const lines = (await readFile(reading.path, 'utf8')).split('\n').slice(0, -1)
  const rows = lines.map((line) => {
    const cells = line.split(flatDelimiter)
    const [at = 0, byteOffset = 0, byteLength = 0, record = 0] = cells.slice(0, flatColumns.length).map(Number)
    return { line: at, byteOffset, byteLength, record, cells: cells.slice(flatColumns.length).map(unescape) }
  })
  return { reading, faults, rows }
}

/** The escapes of the flat copy, read back by code that does not know the writer's. */
function unescape(text: string): string {
  const [first = '', ...rest] = text.split('\u001b')
  return (
    first + rest.map((piece) => ['\u001b', '\n', '\r', '\u001f', '\u0001'][Number(piece[0])] + piece.slice(1)).join('')
  )
}

const cell = fc.string({
  unit: fc.constantFrom('a', 'é', '𝄞', ' ', ',', '"', '\n', '\r', '\u001b', '\u001f', '\u0001', '1', ';'),
  maxLength: 6,
})

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

test('any table of strings reads back as it was, with every record at its place', async () => {
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 6 }))
  const end = fc.constantFrom('\n', '\r\n', '\r')
  await fc.assert(
    fc.asyncProperty(table, end, fc.boolean(), async (rows, lineEnd, mark) => {
      const header = (rows[0] ?? ['a', 'b']).map((_, i) => `c${i}`)
      const text = [header, ...rows].map((row) => row.map(quote).join(',') + lineEnd).join('')
      const bytes = Buffer.from((mark ? '\ufeff' : '') + text)
      const read = await flat(bytes)
      assert.deepEqual(read.reading.header, header)
      assert.deepEqual(
        read.rows.map(({ cells }) => cells),
        rows,
      )
      assert.deepEqual([read.reading.records, read.reading.rejected, read.reading.blankLines], [rows.length, 0, 0])
      for (const [i, row] of read.rows.entries()) {
        const raw = bytes.subarray(row.byteOffset, row.byteOffset + row.byteLength).toString()
        assert.equal(raw, rows[i]?.map(quote).join(','))
        const above = bytes.subarray(0, row.byteOffset).toString()
        assert.equal(row.line, above.split(/\r\n|\n|\r/).length)
      }
    }),
    { numRuns: 300 },
  )
})

test('counts blank lines apart, wherever they stand and however lines end', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const { reading, rows, faults } = await flat(['', 'a,b', '', '', '1,2', '3', '', '4,"x', 'y"', '', ''].join(end))
    assert.deepEqual([reading.records, reading.rejected, reading.blankLines], [3, 1, 5], JSON.stringify(end))
    assert.deepEqual(
      rows.map(({ line, record }) => [line, record]),
      [
        [5, 1],
        [8, 3],
      ],
    )
    assert.partialDeepStrictEqual(faults, [{ line: 6, record: 2, code: 'missing-cell', column: 'b', cells: ['3'] }])
  }
})

test('a ragged record is a reject with its place; the others are read', async () => {
  const { reading, faults, rows } = await flat('a,b\n1\n2,3,4\n5,6\n')
  assert.partialDeepStrictEqual(faults, [
    { line: 2, byteOffset: 4, byteLength: 1, record: 1, column: 'b', code: 'missing-cell' },
    { line: 3, byteOffset: 6, byteLength: 5, record: 2, column: null, code: 'extra-cell' },
  ])
  assert.deepEqual([reading.records, reading.rejected, rows.length], [3, 2, 1])
})

test('a broken quote ends the reading and names its line', async () => {
  for (const [text, line, column] of [
    ['a,b\n1,2\n"open,3\n4,5\n', 3, 'a'],
    ['a,b\n1,"x"y\n', 2, 'b'],
    ['a,b\n1,2\n\n3,4"5\n6,7\n', 4, 'b'],
  ] as const) {
    const faults: Fault[] = []
    const file = await facts(text)
    const onFault = async (fault: Fault) => void faults.push(fault)
    await assert.rejects(readFlat(file.path, join(folder, 'flat'), file.facts, { ...quiet, onFault }), (error) => {
      assert.ok(error instanceof AppError)
      assert.equal(error.code, 'rejected')
      assert.match(error.message, new RegExp(`test\\.csv line ${line}, column “${column}”`))
      return true
    })
    assert.partialDeepStrictEqual(faults, [{ line, column, code: 'quote-error' }])
  }
})

async function plain(content: string) {
  const file = await facts(content)
  return readPlain(file.path, file.facts)
}

test('only a provably simple file is read where it stands', async () => {
  assert.partialDeepStrictEqual(await plain('a,b\n1,2\n3,4'), { header: ['a', 'b'], records: 2, lineEnd: '\n' })
  assert.partialDeepStrictEqual(await plain('\ufeffa,b\r\n1,2\r\n'), {
    header: ['a', 'b'],
    records: 1,
    lineEnd: '\r\n',
  })
  for (const content of ['a\n"1"\n', 'a\n\n1\n', 'a\r1\n', 'a\n1\r\n', 'a,b\n1,2\n\n']) {
    assert.equal(await plain(content), undefined, JSON.stringify(content))
  }
})

test('what is no CSV in UTF-8 is refused, by what it is', async () => {
  for (const [content, words] of [
    [Buffer.alloc(0), /is empty/],
    [Buffer.from('1f8b0800', 'hex'), /gzip/],
    [Buffer.from('504b0304aa', 'hex'), /zip archive or an Excel/],
    [Buffer.from('\ufeffa,b', 'utf16le'), /UTF-16/],
    [Buffer.from('a,b\n1,\u0000\n'), /NUL byte at offset 6/],
    [Buffer.from('a,b\n1,2\nx,\xe9\n', 'latin1'), /line 3: byte 10 is not UTF-8/],
  ] as const) {
    await assert.rejects(facts(content), words)
  }
})
