import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { faults, mill, nothing } from '../../test/engine-fixture.ts'
import { Kernel } from '../csv/kernel/kernel.ts'
import { passRecords } from '../csv/passage.ts'
import type { Passages } from './pass.ts'
import { parseTabbed } from '../csv/tabbed.ts'
import type { DriftPolicy, Target } from '../model.ts'
import type { Job, RowFormat, TargetColumn } from '../job.ts'
import type { ColumnType, Constraints } from '../table-schema.ts'

const sql = 'FROM file'

function column(name: string, type: ColumnType | null, constraints: Constraints = {}): TargetColumn {
  const absent = constraints.required === true ? 'refused' : 'null'
  return { name, field: type === null ? null : { type, constraints }, absent, isComputed: false }
}

interface Into extends Partial<Target> {
  readonly columns?: readonly TargetColumn[]
  readonly rows?: RowFormat
  readonly sql?: string
}

/** Loads texts into a table, and reads what would be sent there. */
async function load(texts: Readonly<Record<string, string>>, into: Into = {}) {
  const { columns, rows = 'tabbed', sql: own = sql, ...given } = into
  const target: Target = { table: 't', mode: 'append', key: [], drift: 'fail', undoable: false, ...given }
  const targets: Job['targets'] = { rows: { target, rows, columns } }
  const pipeline = { ...nothing, rejects: 'keep' as const, outputs: { rows: { to: 'db', sql: own } } }
  let text = ''
  const result = await mill(pipeline, texts, { targets }, async (folder, report) => {
    const [produced] = report.outputs
    if (produced === undefined) return
    const path = join(folder, produced.file)
    text = produced.format === 'records' ? await passed(path) : await readFile(path, 'utf8')
  })
  const [output] = result.report.outputs
  return {
    ...result,
    error: result.report.error,
    format: output?.format,
    columns: output?.columns?.map(({ name, type }) => `${name} ${type}`),
    lines: text === '' ? [] : text.slice(0, -1).split('\n').map(parseTabbed),
  }
}

async function passed(path: string): Promise<string> {
  const kernel = await Kernel.load()
  const written: Buffer[] = []
  const { signal } = new AbortController()
  const { passages } = JSON.parse(await readFile(path, 'utf8')) as Passages
  for (const passage of passages) {
    await passRecords(passage, kernel, async (bytes) => void written.push(Buffer.from(bytes)), false, signal)
  }
  return Buffer.concat(written).toString()
}

suite('a table that is not there', () => {
  test('gets the columns of the file, with the types that all their cells give evidence of', async () => {
    const { columns, lines, format } = await load({ 'file.csv': 'id,when,sum,text\n1,2024-02-29,1.50,\n-2,,,007\n' })
    assert.deepEqual(columns, ['id integer', 'when date', 'sum decimal(15,2)', 'text string'])
    assert.deepEqual(lines, [
      ['1', '2024-02-29', '1.50', null],
      ['-2', null, null, '007'],
    ])
    assert.equal(format, 'records')
  })

  test('gets the rows of several files, one after another', async () => {
    const { lines, report } = await load({ 'a.csv': 'id,x\n1,a\n', 'b.csv': 'id,x\n2,"b\nc"\n' })
    assert.deepEqual(lines, [
      ['1', 'a'],
      ['2', 'b\nc'],
    ])
    assert.equal(report.outputs[0]?.rows, 2)
  })

  test('gets what is sound where rejects are kept', async () => {
    const { lines, report } = await load({ 'file.csv': 'id,x\n1,a\n2\n3,c\n' })
    assert.deepEqual(lines, [
      ['1', 'a'],
      ['3', 'c'],
    ])
    assert.deepEqual(report.inputs, { file: { records: 3, accepted: 2, rejected: 1, blankLines: 0 } })
  })

  test('is told nothing apart from an empty text in quotes', async () => {
    for (const rows of ['a,"",\n1,2,3\n', 'a,"",\n"b\nc",2,3\n', 'a,"",\ntrue,2,3\n']) {
      const { lines } = await load({ 'file.csv': `x,y,z\nk,t,u\n${rows}` })
      assert.deepEqual(lines[1], ['a', '', null], rows)
    }
    const numbers = await load({ 'file.csv': 'x,y\n1,""\n2,3\n' })
    assert.deepEqual(numbers.columns, ['x integer', 'y integer'])
    assert.deepEqual(numbers.lines[0], ['1', null])
  })
})

suite('rows that go through DuckDB', () => {
  const csv = 'n,text,truth,day\n1,"a\tb\\c\nd",true,2024-02-29\n,"",FALSE,\n3,é😀,,9998-12-31\n'

  test('are written as the reader would write them', async () => {
    const { format, lines } = await load({ 'file.csv': csv })
    assert.equal(format, 'tabbed')
    assert.deepEqual(lines, [
      ['1', 'a\tb\\c\nd', '1', '2024-02-29'],
      [null, '', '0', null],
      ['3', 'é😀', null, '9998-12-31'],
    ])
  })

  test('may be of any SELECT', async () => {
    const { columns, lines } = await load(
      { 'file.csv': csv },
      { sql: 'SELECT count(*) AS n, sum(n) AS total, list(text) AS texts, max(day) AS last FROM file' },
    )
    assert.deepEqual(columns, ['n integer', 'total decimal(38,0)', 'texts string', 'last date'])
    assert.deepEqual(lines, [['3', '4', '["a\\tb\\\\c\\nd","","é😀"]', '9998-12-31']])
  })
})

suite('a table that is there', () => {
  const columns = [column('ID', 'integer', { required: true }), column('name', 'string', { maxLength: 3 })]

  test('is the schema of a file that declares none, by name, in any order and case', async () => {
    const result = await load({ 'file.csv': 'NAME,id\nAda,007\nGrace,1\nBob,x\n,\n' }, { columns })
    assert.deepEqual(result.columns, ['name string', 'ID integer'])
    assert.deepEqual(result.lines, [['Ada', '7']])
    assert.deepEqual(await faults(result), [
      '3 NAME constraint-error: “Grace” is more than the greatest length, 3',
      '4 id type-error: “x” is not an integer of at most 64 bits',
      '5 id constraint-error: the value is missing, and the column is required',
    ])
  })

  test('is not asked what the evidence has answered', async () => {
    const small = [column('id', 'integer', { required: true, minimum: -32768, maximum: 32767 }), ...columns.slice(1)]
    assert.equal((await load({ 'file.csv': 'id,name\n9999,abc\n' }, { columns: small })).format, 'records')
    const near = await load({ 'file.csv': 'id,name\n32767,abc\n32768,abc\n' }, { columns: small })
    assert.equal(near.format, 'tabbed')
    assert.deepEqual(near.lines, [['32767', 'abc']])
  })

  const drifts: readonly [what: string, csv: string, policy: DriftPolicy, told: RegExp | string[]][] = [
    ['an extra column', 'id,name,x\n1,a,b\n', 'fail', /column “x” is not in the table/],
    ['an extra column', 'id,name,x\n1,a,b\n', 'ignore-extra', ['ID integer', 'name string']],
    ['an extra column', 'id,name,x\n1,a,b\n', 'add-columns', ['ID integer', 'name string', 'x string']],
    ['a missing column', 'id\n1\n', 'fail', /column “name” is missing/],
    ['a missing column', 'id\n1\n', 'ignore-extra', ['ID integer']],
    ['a column that each row needs', 'name\na\n', 'ignore-extra', /column “ID” is missing, and each row needs it/],
    [
      'a column of another type',
      'id,name\nx,a\ny,b\n',
      'ignore-extra',
      /column “id” of file.csv holds no integer at all/,
    ],
    ['no column in common', 'x,y\n1,2\n', 'add-columns', /each row needs it; not one is in the table/],
  ]
  for (const [what, csv, drift, told] of drifts) {
    test(`${what} under ${drift}`, async () => {
      const result = await load({ 'file.csv': csv }, { columns, drift })
      if (told instanceof RegExp) {
        assert.equal(result.error?.code, 'rejected')
        assert.match(result.error.message, told)
      } else assert.deepEqual(result.columns, told)
    })
  }

  test('tells what it left out or has no value for', async () => {
    const { report } = await load({ 'file.csv': 'id,x\n1,a\n' }, { columns, drift: 'ignore-extra' })
    assert.deepEqual(
      report.warnings.map(({ code }) => code),
      ['extra-label', 'missing-label'],
    )
  })
})

suite('upsert', () => {
  const key = { mode: 'upsert', key: ['ID'] } as const

  test('rejects the second record of a key, and one without', async () => {
    const result = await load({ 'file.csv': 'id,x\n1,a\n2,b\n1,c\n,d\n' }, key)
    assert.deepEqual(result.lines, [
      ['1', 'a'],
      ['2', 'b'],
    ])
    assert.deepEqual(
      (await faults(result)).map((fault) => fault.replace(/:.*/, '')),
      ['4 id primary-key', '5 id primary-key'],
    )
  })

  test('by a column that is not there is refused', async () => {
    const { error } = await load({ 'file.csv': 'id,x\n1,a\n' }, { mode: 'upsert', key: ['nr'] })
    assert.deepEqual(error?.code, 'unprocessable')
    assert.match(error.message, /column “nr”, which is not there. There are: “id”, “x”/)
  })
})
