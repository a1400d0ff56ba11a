import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { declare, mill, nothing, output, runFolder } from '../../test/engine-fixture.ts'
import { runs } from '../../test/runs.ts'
import type { ParamSpec, Pipeline } from '../definition.ts'
import type { ColumnType } from '../table-schema.ts'
import { jobFile } from '../job.ts'

const songPlays: Partial<Pipeline> = {
  inputs: { plays: declare({ Song: 'string', Date: 'date', Plays: 'integer' }) },
  outputs: { totals: output('SELECT Song, Date, sum(Plays) AS Plays FROM plays GROUP BY ALL ORDER BY ALL;') },
}

test('a sound file is summed up where it stands, every record counted', async () => {
  const { report, files, flat } = await mill(songPlays, {
    'plays.csv': 'Song,Date,Plays\nB,2020-01-02,2\nA,2020-01-01,1\nB,2020-01-02,3\n',
  })
  assert.equal(files['totals'], 'Song,Date,Plays\nA,2020-01-01,1\nB,2020-01-02,5\n')
  assert.deepEqual(report.inputs, { plays: { records: 3, accepted: 3, rejected: 0, blankLines: 0 } })
  assert.deepEqual([report.outputs[0]?.rows, report.rejects, report.error, flat], [2, null, null, []])
})

test('one bad value fails the run; every fault of every record is told', async () => {
  const text = 'Song,Date,Plays\nA,2020-01-01,1\nB,2020-02-30,x\n\nC,2020-01-01\n"D",2020-01-01,4\n'
  const { report, files } = await mill(songPlays, { 'plays.csv': text })
  assert.equal(report.error?.code, 'rejected')
  assert.match(
    report.error?.message ?? '',
    /^plays\.csv line 3, column “Date”: “2020-02-30” is not a date .* 2 of 4 records/,
  )
  assert.deepEqual(report.outputs, [])
  assert.deepEqual(report.inputs, { plays: { records: 4, accepted: 2, rejected: 2, blankLines: 1 } })
  assert.equal(
    files['rejects'],
    [
      'input,line,byte_offset,record,column,code,message,raw',
      'plays,3,31,2,Date,type-error,“2020-02-30” is not a date (YYYY-MM-DD),"B,2020-02-30,x"',
      'plays,3,31,2,Plays,type-error,“x” is not an integer of at most 64 bits,"B,2020-02-30,x"',
      'plays,5,47,3,Plays,missing-cell,the record has 2 of the header’s 3 cells,"C,2020-01-01"',
      '',
    ].join('\n'),
  )
})

test('a pipeline says how many rejects it can bear', async () => {
  const text = 'n\n1\nx\n3\n4\n'
  const outputs = { sum: output('SELECT sum(n)::BIGINT AS s FROM file') }
  const inputs = { file: declare({ n: 'integer' }) }
  for (const [rejects, succeeds] of [
    ['keep', true],
    ['fail', false],
    [{ max: 1 }, true],
    [{ max: 0 }, false],
    [{ max: 0.25 }, true],
    [{ max: 0.2 }, false],
  ] as const) {
    const { report, files } = await mill({ inputs, outputs, rejects }, { 'n.csv': text })
    assert.equal(report.error === null, succeeds, JSON.stringify(rejects))
    assert.equal(files['sum'], succeeds ? 's\n8\n' : undefined)
    assert.equal(report.rejects?.count, 1)
  }
})

test('a type takes what it means and nothing else', async () => {
  const table: readonly (readonly [ColumnType, readonly string[], readonly string[]])[] = [
    [
      'integer',
      ['0', '-7', '+5', '007', '-0', '9223372036854775807'],
      ['1.5', '1e5', '1_000', ' 1', '0x1F', 'true', '9223372036854775808', '--1', '١'],
    ],
    [
      'number',
      ['1', '-1.50', '.5', '5.', '1e5', '1E-3'],
      ['1_0', '1,5', 'nan', 'inf', ' 1', '0x1', '1e', '.', '1e400', '1e-400', '9'.repeat(400)],
    ],
    ['boolean', ['true', 'FALSE', '1', '0', 'True'], ['yes', 't', '2', 'tRUE', ' true']],
    [
      'date',
      ['2020-02-29', '0001-01-01', '9999-12-31'],
      [
        '2021-02-29',
        '2020-1-2',
        '2020/01/02',
        '20200102',
        'infinity',
        'epoch',
        '2020-01-02 ',
        ' 2020-01-02',
        '2020-01-02T00:00:00',
      ],
    ],
    [
      'datetime',
      ['2020-01-02T03:04:05Z', '2020-01-02 03:04:05.123+02:00'],
      [
        '2020-01-02T03:04:05',
        '2020-01-02',
        'now',
        '2020-01-02T25:00:00Z',
        '2020-01-02T24:00:00Z',
        '2020-01-02T03:04:05+99:99',
        '2020-01-02T03:04:05+14:60',
        '0001-01-01T00:00:00+10:00',
        '9999-12-31T23:59:59-10:00',
        '0000-01-01T00:00:00Z',
      ],
    ],
    ['decimal(5,2)', ['1.25', '-999.99', '+1', '1.500', '0'], ['1.255', '1000', '1e2', '1,5', '.', 'nan']],
  ]
  for (const [type, good, bad] of table) {
    const values = [...good, '', ...bad]
    const { report, files } = await mill(
      {
        rejects: 'keep',
        inputs: { file: declare({ k: 'string', v: type }) },
        outputs: { rows: output('FROM file') },
      },
      { 'v.csv': `k,v\n${values.map((value, i) => `${i},"${value}"`).join('\n')}\n` },
    )
    const rejected = (files['rejects'] ?? '')
      .split('\n')
      .slice(1, -1)
      .map((line) => Number(line.split(',')[1]) - 2)
    assert.deepEqual(
      rejected.map((i) => values[i]),
      bad,
      type,
    )
    assert.equal(report.inputs['file']?.accepted, good.length + 1)
  }
})

test('the bet and the careful way come to the same, for any file', async () => {
  const value = fc.constantFrom('1', '22', '-3', '', '', 'x', '1.5')
  const record = fc.oneof(
    { weight: 9, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), value) },
    { weight: 1, arbitrary: fc.constantFrom(['a'], ['a', '1', '2']) },
  )
  const inputs = { file: declare({ k: 'string', n: 'integer' }) } as const
  const sum = output('SELECT k, sum(n) AS n FROM file GROUP BY k ORDER BY k')
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 8 }), fc.boolean(), async (records, quoted) => {
      const text = `k,n\n${records
        .map((cells) => cells.map((cell) => (quoted ? `"${cell}"` : cell)).join(','))
        .map((line) => `${line}\n`)
        .join('')}`
      const once = await mill({ inputs, rejects: 'keep', outputs: { sum } }, { 'f.csv': text })
      const twice = await mill(
        { inputs, rejects: 'keep', outputs: { sum, other: output('FROM file') } },
        { 'f.csv': text },
      )
      assert.deepEqual(once.report.inputs, twice.report.inputs)
      assert.deepEqual([once.files['sum'], once.files['rejects']], [twice.files['sum'], twice.files['rejects']])
      const sound = records.filter(([, n, more]) => n !== undefined && more === undefined && /^-?\d*$/.test(n))
      assert.deepEqual(once.report.inputs['file'], {
        records: records.length,
        accepted: sound.length,
        rejected: records.length - sound.length,
        blankLines: 0,
      })
      assert.equal(twice.report.outputs[1]?.rows, sound.length)
    }),
    runs(6),
  )
})

test('a query that does not look at every row is still told of the bad one', async () => {
  for (const sql of [
    'SELECT k FROM file LIMIT 1',
    'SELECT 1 AS one',
    "SELECT count(*) AS n FROM file WHERE k = 'a'",
    'SELECT count(*) AS n FROM file',
  ]) {
    const { report } = await mill(
      { inputs: { file: declare({ k: 'string', n: 'integer' }) }, outputs: { rows: output(sql) } },
      { 'f.csv': 'k,n\na,1\nb,2\nc,x\n' },
    )
    assert.equal(report.error?.code, 'rejected', sql)
  }
})

test('columns are matched by name: in any order, none missing, none besides, none twice', async () => {
  const run = (header: string, row: string) => mill(songPlays, { 'plays.csv': `${header}\n${row}\n` })
  const swapped = await run('Plays,Song,Date', '3,A,2020-01-01')
  assert.equal(swapped.files['totals'], 'Song,Date,Plays\nA,2020-01-01,3\n')
  for (const [header, words] of [
    ['Song,Date', /line 1: column “Plays” is missing/],
    ['Song,Date,Plays,More', /line 1: column “More” is not expected/],
    ['Song,Date,Plays,Song', /line 1: column “Song” is there twice/],
    ['song,Date,Plays', /line 1: column “Song” is missing/],
  ] as const) {
    const { report } = await run(header, 'A,2020-01-01,3')
    assert.match(report.error?.message ?? '', words)
    assert.equal(report.error?.details?.['line'], 1)
  }
})

test('a cell that means “missing” to DuckDB is a cell like any other', async () => {
  const inputs = { file: declare({ k: 'string', d: 'date' }) } as const
  const { report, files } = await mill(
    { inputs, rejects: 'keep', outputs: { rows: output('FROM file') } },
    { 'f.csv': 'k,d\n\u0001,2020-01-01\nb,\u0001\nc,2020-01-01,\u0001\n' },
  )
  assert.equal(files['rows'], 'k,d\n\u0001,2020-01-01\n')
  assert.deepEqual(report.inputs, { file: { records: 3, accepted: 1, rejected: 2, blankLines: 0 } })
})

test('rows are counted as they are written, however the query is made', async () => {
  const inputs = { file: declare({ k: 'string' }) } as const
  for (const [sql, rows] of [
    ['WITH t AS (SELECT k, count(*) AS n FROM file GROUP BY k) SELECT x.k, y.n FROM t x JOIN t y USING (k)', 3],
    ['WITH t AS MATERIALIZED (FROM file) FROM t', 3],
    ['SELECT x.k FROM file x WHERE EXISTS (SELECT 1 FROM file y WHERE y.k = x.k)', 3],
    ["SELECT k FROM file WHERE k <> 'a' ORDER BY k LIMIT 1", 1],
    ['SELECT x.k AS a, y.k AS b FROM file x, file y', 9],
  ] as const) {
    const once = await mill({ inputs, outputs: { rows: output(sql) } }, { 'f.csv': 'k\na\nb\nc\n' })
    const twice = await mill(
      { inputs, outputs: { rows: output(sql), more: output('FROM file') } },
      { 'f.csv': 'k\na\nb\nc\n' },
    )
    for (const { report, files } of [once, twice]) {
      assert.equal(report.outputs[0]?.rows, rows, sql)
      assert.equal((files['rows'] ?? '').split('\n').length - 2, rows, sql)
    }
  }
})

test('the error of several inputs and files names the one that is at fault', async () => {
  const { report, files } = await mill(
    {
      rejects: { max: 1 },
      inputs: { file: declare({ n: 'integer' }) },
      outputs: { rows: output('SELECT file, line FROM rejects') },
    },
    { 'one.csv': 'n\n1\n', 'two.csv': 'n\n1\nx\ny\n' },
  )
  assert.match(report.error?.message ?? '', /^two\.csv line 3, .* 2 of 4 records/)
  assert.match(files['rejects'] ?? '', /^file,3,4,2,n,/m)
})

test('no row is lost on its way into a file', async () => {
  const inputs = { file: declare({ n: 'integer' }) } as const
  const alone = await mill(
    { inputs, outputs: { rows: output('SELECT n FROM file ORDER BY n DESC') } },
    { 'f.csv': 'n\n1\n""\n2\n' },
  )
  assert.equal(alone.files['rows'], 'n\n2\n1\n""\n')
  for (const format of ['csv', 'ndjson'] as const) {
    const twins = await mill(
      { outputs: { rows: output('SELECT x.k, y.k FROM file x, file y', format) } },
      { 'f.csv': 'k\n1\n' },
    )
    assert.match(twins.report.error?.message ?? '', /two columns named “k”/)
  }
})

test('a share of rejects is exactly that share', async () => {
  const text = `n\n${'x\n'.repeat(29)}${'1\n'.repeat(71)}`
  for (const [max, succeeds] of [
    [0.29, true],
    [0.28, false],
  ] as const) {
    const { report } = await mill(
      { rejects: { max }, inputs: { file: declare({ n: 'integer' }) }, outputs: { rows: output('FROM file') } },
      { 'n.csv': text },
    )
    assert.equal(report.error === null, succeeds)
  }
})

test('very many rejects are told one by one, in bounded memory', async () => {
  const { report, files } = await mill(
    { rejects: 'keep', inputs: { file: declare({ a: 'integer' }) }, outputs: { rows: output('FROM file') } },
    { 'f.csv': `a\n${'x\n'.repeat(20_000)}` },
    { memory: 150e6 },
  )
  assert.equal(report.rejects?.count, 20_000)
  assert.match(
    files['rejects'] ?? '',
    /\nfile,20001,40000,20000,a,type-error,“x” is not an integer of at most 64 bits,x\n$/,
  )
})

test('a record of nothing but line ends, as long as one may be, fits into the memory that a task has', async () => {
  const value = '\n'.repeat((16 << 20) - 10)
  const { report, files } = await mill(
    {
      inputs: { file: declare({ a: 'string', n: 'integer' }) },
      outputs: { rows: output('SELECT strlen(a), n FROM file') },
    },
    { 'f.csv': `a,n\n"${value}",1\nx,2\n` },
  )
  assert.equal(report.error, null)
  assert.equal(files['rows'], `strlen(a),n\n${value.length},1\n1,2\n`)
})

test('files with the same headers are united, whatever is wrong with these', async () => {
  const { files } = await mill(
    { outputs: { rows: output('FROM file ORDER BY 1') } },
    { 'one.csv': 'a,a,\n1,2,3\n', 'two.csv': 'a,a,\n4,5,6\n' },
  )
  assert.equal(files['rows'], 'a,a_2,column_3\n1,2,3\n4,5,6\n')
})

test('several files of one input are united by name', async () => {
  const { report, files } = await mill(
    { outputs: { rows: output('SELECT * FROM file ORDER BY a') } },
    { 'one.csv': 'a,b\n1,x\n', 'two.csv': 'b,a\n"y",2\n' },
  )
  assert.equal(files['rows'], 'a,b\n1,x\n2,y\n')
  assert.deepEqual(report.inputs, { file: { records: 2, accepted: 2, rejected: 0, blankLines: 0 } })
})

test('any header makes usable names, and a warning tells which were made up', async () => {
  const { report, files } = await mill(
    { outputs: { rows: output('FROM file') } },
    { 'f.csv': 'a,A,,__proto__,"x""; DROP TABLE files",σ,ς,ß,ss\n1,2,3,4,5,6,7,8,9\n' },
  )
  assert.equal(files['rows'], 'a,A_2,column_3,__proto__,"x""; DROP TABLE files",σ,ς_2,ß,ss\n1,2,3,4,5,6,7,8,9\n')
  assert.deepEqual(
    report.warnings.map(({ code }) => code),
    ['duplicate-label', 'blank-label', 'duplicate-label'],
  )
})

test('JSON keeps numbers exact', async () => {
  const sql = `SELECT 9007199254740993 AS big, 9007199254740991 AS safe, 1234567890123456.780::DECIMAL(30,3) AS money, NULL AS none, 'inf'::DOUBLE AS inf, 3::UHUGEINT AS small, chr(10) || '"é' AS "te""xt" FROM file`
  const { files } = await mill({ outputs: { rows: output(sql, 'ndjson') } }, { 'f.csv': 'a\n1\n' })
  assert.equal(
    files['rows'],
    '{"big":"9007199254740993","safe":9007199254740991,"money":1234567890123456.780,"none":null,"inf":"inf","small":3,"te\\"xt":"\\n\\"é"}\n',
  )
})

test('an output is exactly one SELECT, and sees nothing but its inputs', async () => {
  for (const [sql, words] of [
    ['SELECT 1; SELECT 2', /exactly one SELECT/],
    ["COPY (SELECT 1) TO '/tmp/x'", /disabled by configuration/],
    ['DROP TABLE files', /exactly one SELECT/],
    ["SELECT 1) TO '/tmp/x'; --", /does not work/],
    ['SELEC 1', /syntax error/],
    ["SELECT * FROM read_text('/etc/passwd')", /disabled by configuration/],
    ["SELECT * FROM glob('/*')", /disabled by configuration/],
    ["SELECT getenv('HOME')", /does not exist/],
    ['SELECT nope FROM file', /nope/],
  ] as const) {
    const { report } = await mill({ outputs: { rows: output(sql) } }, { 'f.csv': 'a\n1\n' })
    assert.equal(report.error?.code, 'unprocessable', sql)
    assert.match(report.error?.message ?? '', words)
  }
})

test('params are values, whatever they contain', async () => {
  const params = { text: "x'; DROP TABLE files; --", list: ['a', 'b'], n: 3, flag: true }
  const sql = `SELECT getvariable('text') AS t, getvariable('list')[2] AS l, getvariable('n') + 1 AS n, getvariable('flag') AS f FROM file`
  const spec = (type: ParamSpec['type']) => ({ type, required: false })
  const specs = { text: spec('string'), list: spec('array'), n: spec('integer'), flag: spec('boolean') }
  const pipeline = { params: specs, outputs: { rows: output(sql, 'ndjson') } }
  const { files } = await mill(pipeline, { 'f.csv': 'a\n1\n' }, { params })
  assert.deepEqual(JSON.parse(files['rows'] ?? ''), { t: params.text, l: 'b', n: 4, f: true })
})

test('stored bytes that have changed are not worked on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-engine-'))
  const path = join(folder, 'f')
  await writeFile(path, 'a\n1\n')
  const job = {
    pipeline: { ...nothing, outputs: { rows: output('FROM file') } },
    params: {},
    inputs: [{ input: 'file', name: 'f.csv', path, sha256: '00' }],
    now: 0,
    memory: 500e6,
    threads: 1,
  }
  await writeFile(join(folder, jobFile), JSON.stringify(job))
  const { error, outputs } = await runFolder(folder)
  assert.match(error?.message ?? '', /stored bytes of f\.csv are not those that were received/)
  assert.deepEqual(outputs, [])
  await rm(folder, { recursive: true })
})
