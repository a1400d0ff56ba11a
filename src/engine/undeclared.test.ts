import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { faults, inputsOf, mill, nothing, output } from '../../test/engine-fixture.ts'
import { runs } from '../../test/runs.ts'
import { checkParams } from '../pipeline/params.ts'

const all = { rows: output('FROM file') }
const types = output('SELECT name, type FROM columns ORDER BY position')

async function typesOf(...texts: string[]): Promise<string> {
  const files = Object.fromEntries(texts.map((text, i) => [`file-${i}.csv`, text]))
  const { files: made } = await mill(
    { outputs: { types: output('SELECT DISTINCT name, type FROM columns ORDER BY name') } },
    files,
  )
  return made['types'] ?? ''
}

test('columns that nobody declares have the type of all their cells', async () => {
  const text = `i,d,b,day,t,z,s
-1,1.50,true,2020-02-29,23:59:59,2020-01-01T00:00:00Z,x
18,-3,False,1999-12-31,00:00:00.5,2020-01-01 01:00:00+01:00,007
,,,,,,
`
  assert.equal(
    await typesOf(text),
    'name,type\nb,boolean\nd,"decimal(3,2)"\nday,date\ni,integer\ns,string\nt,time\nz,datetime\n',
  )
})

test('what would not be written again as it was stays text', async () => {
  const cells = [
    '007',
    '1e5',
    '12345678901234567890',
    '1_000',
    'NA',
    '01/02/2024',
    '+5',
    '-0',
    '.5',
    '"1,5"',
    '10:00',
    '2020-01-01T00:00:00',
    '2021-02-29',
    'yes',
    ' 1',
    'inf',
  ]
  const columns = cells.map((_, i) => `v${i}`)
  const text = `n,${columns.join(',')}\n2${',1'.repeat(cells.length)}\n3,${cells.join(',')}\n`
  const { files } = await mill({ outputs: { types } }, { 'f.csv': text })
  assert.equal(files['types'], `name,type\nn,integer\n${columns.map((name) => `${name},string\n`).join('')}`)
})

test('the files of an input have one type a column, in any order', async () => {
  assert.equal(await typesOf('a,b\n1,1\n', 'b,a\n2.5,x\n'), 'name,type\na,string\nb,"decimal(2,1)"\n')
})

test('every cell comes back as the text that it was', async () => {
  const integer = fc.integer({ min: -1e9, max: 1e9 }).map(String)
  const day = fc
    .date({ min: new Date('0002-01-01'), max: new Date('9998-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10))
  const odd = fc.constantFrom(
    '',
    '',
    '007',
    '1e5',
    'true',
    'NA',
    '-0',
    '12345678901234567890',
    '2020-13-01',
    'a"b',
    'x\ny',
    '\u0001',
    '\u001f',
  )
  const column = fc.constantFrom(
    integer,
    day,
    fc.constantFrom('true', 'false'),
    fc.oneof(integer, odd),
    fc.oneof(day, odd),
    fc.oneof(integer, day),
  )
  const table = fc
    .tuple(column, column, column)
    .chain((cells) => fc.array(fc.tuple(fc.constant('k'), ...cells), { minLength: 1, maxLength: 12 }))
  await fc.assert(
    fc.asyncProperty(table, async (rows) => {
      const cell = (value: string) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
      const text = `key,a,b,c\n${rows.map((row) => `${row.map(cell).join(',')}\n`).join('')}`
      const { report, files } = await mill({ outputs: all }, { 'f.csv': text })
      assert.equal(report.error, null)
      assert.deepEqual(parse(files['rows'] ?? '').slice(1), rows)
    }),
    runs(12),
  )
})

test('a declared column is read as its type at once only if every cell is seen to fit', async () => {
  const inputs = inputsOf('file: { columns: { k: string, n: integer, p: "decimal(4,1)", x: number, d: date } }')
  const good = 'a,1,999.9,0.5,2020-01-01\nb,,,,\n'
  const sums = { rows: output('SELECT sum(n) AS n, sum(p) AS p, sum(x) AS x, max(d) AS d FROM file') }
  assert.equal(
    (await mill({ inputs, outputs: sums }, { 'f.csv': `k,n,p,x,d\n${good}` })).files['rows'],
    'n,p,x,d\n1,999.9,0.5,2020-01-01\n',
  )
  const bad = [
    'c,1.5,1,1,2020-01-01',
    'c,1,1000.0,1,2020-01-01',
    'c,1,1.25,1,2020-01-01',
    'c,1,1,x,2020-01-01',
    'c,1,1,1,2021-02-29',
  ]
  for (const line of bad) {
    const result = await mill({ inputs, rejects: 'keep', outputs: sums }, { 'f.csv': `k,n,p,x,d\n${good}${line}\n` })
    assert.equal((await faults(result)).length, 1, line)
    assert.equal(result.files['rows'], 'n,p,x,d\n1,999.9,0.5,2020-01-01\n', line)
  }
})

test('the statistics of a column are those of its accepted values', async () => {
  const text = `n,s\n${Array.from({ length: 100 }, (_, i) => `${i},${i % 3 === 0 ? 'fizz' : i}\n`).join('')}x\n`
  const sql = `SELECT name, "values", nulls, approx_distinct > 50 AS many, min, max, mean, most_frequent[1].value AS top,
    most_frequent[1].count AS times, list_sum([b.count for b in histogram]) AS binned, counterexamples[1].line AS line FROM columns ORDER BY position`
  const { files } = await mill({ rejects: 'keep', outputs: { stats: output(sql) } }, { 'f.csv': text })
  const [, n, s] = parse(files['stats'] ?? '')
  assert.deepEqual(n, ['n', '100', '0', 'true', '0', '99', '49.5', '', '', '100', ''])
  assert.deepEqual(s, ['s', '100', '0', 'true', '1', 'fizz', '', 'fizz', '34', '', '2'])
})

test('a histogram counts every value once, or is none', async () => {
  const sql = 'SELECT name, list_sum([b.count for b in histogram]) AS binned FROM columns ORDER BY position'
  const inputs = inputsOf('file: { columns: { wide: number, near: integer, even: number } }')
  const rows = ['-1.7e308,100000000000000000,0.1', '1.7e308,100000000000000016,0.3', '0,100000000000000001,0.2']
  const { files } = await mill(
    { inputs, outputs: { stats: output(sql) } },
    { 'f.csv': `wide,near,even\n${rows.join('\n')}\n` },
  )
  assert.equal(files['stats'], 'name,binned\nwide,3\nnear,\neven,3\n')
})

test('so are those of more columns than are measured at a time, with whatever is in their cells', async () => {
  const width = 200
  const row = (cell: (i: number) => string) => `${Array.from({ length: width }, (_, i) => cell(i)).join(',')}\n`
  const text = row((i) => `c${i}`) + row((i) => `"${i}\n"`) + row((i) => `"${i}\n"`) + row(() => '')
  const sql = `SELECT count(*) AS n, count(*) FILTER (WHERE min = (position - 1)::VARCHAR || chr(10) AND nulls = 1
    AND most_frequent[1].count = 2) AS right FROM columns`
  const { files } = await mill({ outputs: { stats: output(sql), rows: all.rows } }, { 'f.csv': text })
  assert.equal(files['stats'], `n,right\n${width},${width}\n`)
  assert.equal(files['rows'], text)
})

test('how a file is written can be said in the pipeline, and for one run', async () => {
  const text = Buffer.from("n;v\n1;'a;é'\n", 'latin1')
  const inputs = inputsOf(
    `file: { columns: { n: integer, v: string }, reader: { delimiter: ";", quote: "'", encoding: latin1 } }`,
  )
  assert.equal((await mill({ inputs, outputs: all }, { 'f.csv': text })).files['rows'], 'n,v\n1,a;é\n')
  const given = { 'reader.delimiter': ';', 'reader.quote': "'", 'reader.encoding': 'latin1', 'reader.skipLines': '0' }
  const params = checkParams(nothing, given)
  assert.equal((await mill({ outputs: all }, { 'f.csv': text }, { params })).files['rows'], 'n,v\n1,a;é\n')
  for (const [name, value, words] of [
    ['reader.quote', 'ab', /reader.quote is not one ASCII character/],
    ['reader.header', 'perhaps', /reader.header is .*true or false/],
    ['reader.delimeter', ';', /Did you mean reader.delimiter\?/],
  ] as const) {
    assert.throws(() => checkParams(nothing, { [name]: value }), words)
  }
})

test('the types of undeclared columns are named by their relation', async () => {
  assert.equal(
    (await mill({ outputs: { types } }, { 'f.csv': 'a,b\n1,x\n' })).files['types'],
    'name,type\na,integer\nb,string\n',
  )
})

test('no byte is lost at the edges of what DuckDB is given', async () => {
  const cases: readonly (readonly [text: string, params: Record<string, string>, rows: string])[] = [
    ['id,start\n1,12:30\n2,09:15:00\n', {}, 'id,start\n1,12:30\n2,09:15:00\n'],
    ['"a\nb",c\n1,2\n3,4\n', {}, '"a\nb",c\n1,2\n3,4\n'],
    ['a,b\n"\ufeffx",2\n"y",3\n', {}, 'a,b\n\ufeffx,2\ny,3\n'],
    ['a\u001bb\n1\u001b2\n"x\u001b1"\u001b3\n', { 'reader.delimiter': '\u001b' }, 'a,b\n1,2\nx\u001b1,3\n'],
    ['a\u001fb\n1\u001f2\n"x\u001fy"\u001f3\n', {}, 'a,b\n1,2\nx\u001fy,3\n'],
  ]
  for (const [text, params, rows] of cases) {
    assert.equal((await mill({ outputs: all }, { 'f.csv': text }, { params })).files['rows'], rows)
  }
  const header = Buffer.concat([Buffer.from('n'), Buffer.of(0xff), Buffer.from(',b\n1,2\n')])
  const { report } = await mill({ outputs: all }, { 'f.csv': header }, { params: { 'reader.encoding': 'utf-8' } })
  assert.match(report.error?.message ?? '', /line 1: the header has bytes that are no text/)
})

test('an input may have any name, also that of what is measured', async () => {
  const outputs = { stats: output('SELECT name, approx_distinct FROM columns') }
  const { files } = await mill({ inputs: { measured: {} }, outputs }, { 'measured.csv': 'a\n1\n2\n' })
  assert.equal(files['stats'], 'name,approx_distinct\na,2\n')
})
