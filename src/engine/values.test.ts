import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { faults, inputsOf, mill, output } from '../../test/engine-fixture.ts'
import { plainField, plainSchema } from '../table-schema.ts'

/** Columns as declared in YAML, each in a file of its own, in one run: each cell's value as text, or its reject code. */
async function read(columns: readonly { declared: string; cells: readonly string[] }[]): Promise<string[][]> {
  const texts = columns.map(({ cells }, c): [string, string] => {
    const rows = cells.map((cell, i) => `${i},"${cell.replaceAll('"', '""')}"\n`)
    return [`f${c}.csv`, `k,v${c}\n${rows.join('')}`]
  })
  const result = await mill(
    {
      rejects: 'keep',
      inputs: inputsOf(
        columns.map(({ declared }, c) => `f${c}: { columns: { k: integer, v${c}: ${declared} } }`).join('\n'),
      ),
      outputs: Object.fromEntries(
        columns.map((_, c) => [`rows${c}`, output(`SELECT k, v${c}::VARCHAR AS v FROM f${c}`, 'ndjson')]),
      ),
    },
    Object.fromEntries(texts),
  )
  assert.equal(result.report.error, null)
  const told = await faults(result)
  return columns.map(({ cells }, c) => {
    const values: string[] = cells.map(() => '')
    for (const line of (result.files[`rows${c}`] ?? '').split('\n').filter((one) => one !== '')) {
      const { k, v } = JSON.parse(line) as { k: number; v: string | null }
      values[k] = v ?? 'NULL'
    }
    for (const fault of told) {
      const [, line, column, code] = /^(\d+) v(\d+) ([a-z-]+):/.exec(fault) ?? []
      if (Number(column) === c) values[Number(line) - 2] = code ?? fault
    }
    return values
  })
}

const table: readonly (readonly [what: string, declared: string, cells: Readonly<Record<string, string>>])[] = [
  [
    'an integer with groups',
    `{ type: integer, groupChar: "'" }`,
    {
      "1'234": '1234',
      '1234': '1234',
      "12'34": 'type-error',
      "1''234": 'type-error',
      "'123": 'type-error',
      "-1'000'000": '-1000000',
    },
  ],
  [
    'a German number',
    `{ type: number, decimalChar: ",", groupChar: "." }`,
    {
      '1.234,56': '1234.56',
      '1234,56': '1234.56',
      '12.34,5': 'type-error',
      '1,234.56': 'type-error',
      '1.234': '1234.0',
      '1.23': 'type-error',
      '0.001': 'type-error',
      '-012.345': 'type-error',
      '0,5': '0.5',
      ',5': '0.5',
      '1.234.567': '1234567.0',
      '1,5e3': '1500.0',
      '-1,5': '-1.5',
      '1,5.': 'type-error',
      '1,234,567': 'type-error',
      '': 'NULL',
      nan: 'type-error',
    },
  ],
  [
    'a French decimal',
    `{ type: "decimal(9,2)", decimalChar: ",", groupChar: "\u202f" }`,
    {
      '1\u202f234,50': '1234.50',
      '1 234,50': 'type-error',
      '1234,555': 'type-error',
      '1234,500': '1234.50',
      '12345678,0': 'type-error',
    },
  ],
  [
    'a number with a sign around it',
    '{ type: "decimal(9,2)", bareNumber: false, groupChar: "," }',
    {
      '€1,234.50': '1234.50',
      'EUR 95': '95.00',
      '95 EUR': '95.00',
      '95%': '95.00',
      '-$5': '-5.00',
      '$-5': '-5.00',
      '-$-5': 'type-error',
      '(5)': 'type-error',
      '5-': 'type-error',
      '5 Mio': 'type-error',
      '€5%': 'type-error',
      '€': 'type-error',
      '5': '5.00',
      '€1,23.50': 'type-error',
    },
  ],
  [
    'a floating-point number with a currency',
    '{ type: number, bareNumber: false }',
    {
      'EUR 1e5': '100000.0',
      'EUR 1e-400': 'type-error',
      'EUR 1e400': 'type-error',
      'EUR 0': '0.0',
      '1EUR': '1.0',
      EUR: 'type-error',
    },
  ],
  ['a bare number', 'number', { '95%': 'type-error', '€5': 'type-error', '1,000': 'type-error' }],
  [
    'a boolean in words of its own',
    '{ type: boolean, trueValues: [ja, j], falseValues: [nein] }',
    { ja: 'true', j: 'true', nein: 'false', true: 'type-error', JA: 'type-error', '': 'NULL' },
  ],
  ['a boolean', 'boolean', { true: 'true', '0': 'false', yes: 'type-error', '': 'NULL' }],
  [
    'a German date',
    '{ type: date, format: "%d.%m.%Y" }',
    {
      '31.12.2024': '2024-12-31',
      '01.02.2020': '2020-02-01',
      '1.2.2020': 'type-error',
      '01.02.20': 'type-error',
      '30.02.2020': 'type-error',
      '12/31/2024': 'type-error',
      '2024-12-31': 'type-error',
      ' 31.12.2024': 'type-error',
      '31.12.2024 ': 'type-error',
      '31.12.0000': 'type-error',
      '31.12.12024': 'type-error',
      infinity: 'type-error',
      epoch: 'type-error',
      '': 'NULL',
    },
  ],
  [
    'a date without padding',
    '{ type: date, format: "%-d/%-m/%Y" }',
    { '1/2/2020': '2020-02-01', '01/2/2020': 'type-error' },
  ],
  [
    'a year of two digits, by the rule of POSIX',
    '{ type: date, format: "%d.%m.%y" }',
    { '01.01.68': '2068-01-01', '01.01.69': '1969-01-01', '01.01.1969': 'type-error' },
  ],
  [
    'a date with its weekday, which must be the right one',
    '{ type: date, format: "%a %d %b %Y" }',
    { 'Sat 01 Feb 2020': '2020-02-01', 'Sun 01 Feb 2020': 'type-error', 'sat 01 feb 2020': 'type-error' },
  ],
  ['the day of a year', '{ type: date, format: "%Y-%j" }', { '2020-366': '2020-12-31', '2021-366': 'type-error' }],
  [
    'a time',
    'time',
    {
      '23:59:59': '23:59:59',
      '03:04:05.5': '03:04:05.5',
      '24:00:00': 'type-error',
      '3:04:05': 'type-error',
      '03:04': 'type-error',
      '03:04:05Z': 'type-error',
      '03:04:05.1234567': 'type-error',
      '': 'NULL',
    },
  ],
  [
    'a time of twelve hours',
    '{ type: time, format: "%I:%M %p" }',
    { '12:30 AM': '00:30:00', '01:30 PM': '13:30:00', '13:30 PM': 'type-error', '01:30': 'type-error' },
  ],
  [
    'a datetime with its zone in a pattern',
    '{ type: datetime, format: "%d.%m.%Y %H:%M:%S %z" }',
    {
      '01.02.2020 03:04:05 +0200': '2020-02-01 01:04:05',
      '01.02.2020 03:04:05 Z': '2020-02-01 03:04:05',
      '01.02.2020 03:04:05 +02': '2020-02-01 01:04:05',
      '01.02.2020 03:04:05 +2': 'type-error',
      '01.02.2020 03:04:05 +15:00': 'type-error',
      '01.02.2020 03:04:05 -05:30': '2020-02-01 08:34:05',
      '01.02.2020 03:04:05': 'type-error',
      '01.02.2020 03:04:05+0200': 'type-error',
      '01.02.2020 03:04:05 CET': 'type-error',
      '1.2.2020 03:04:05 Z': 'type-error',
      '': 'NULL',
    },
  ],
  [
    'a datetime by the clocks of Berlin',
    '{ type: datetime, timezone: Europe/Berlin }',
    {
      '2020-01-01T12:00:00': '2020-01-01 11:00:00',
      '2020-07-01 12:00:00': '2020-07-01 10:00:00',
      '2020-07-01T12:00:00Z': '2020-07-01 12:00:00',
      '2020-07-01T12:00:00-01:00': '2020-07-01 13:00:00',
      // The clocks go from 02:00 to 03:00, and back from 03:00 to 02:00.
      '2020-03-29T01:59:59': '2020-03-29 00:59:59',
      '2020-03-29T02:00:00': 'type-error',
      '2020-03-29T02:59:59.999999': 'type-error',
      '2020-03-29T03:00:00': '2020-03-29 01:00:00',
      '2020-10-25T01:59:59': '2020-10-24 23:59:59',
      '2020-10-25T02:00:00': 'type-error',
      '2020-10-25T02:59:59': 'type-error',
      '2020-10-25T03:00:00': '2020-10-25 02:00:00',
      // With its zone it is one moment, whatever the clocks show.
      '2020-10-25T02:30:00+02:00': '2020-10-25 00:30:00',
      '2020-10-25': 'type-error',
      '290000-01-01T00:00:00': 'type-error',
      infinity: 'type-error',
      '': 'NULL',
    },
  ],
  [
    'a pattern by the clocks of a zone that changes by half an hour',
    '{ type: datetime, format: "%d/%m/%Y %H:%M", timezone: Australia/Lord_Howe }',
    {
      '05/04/2020 01:29': '2020-04-04 14:29:00',
      '05/04/2020 01:45': 'type-error',
      '05/04/2020 02:00': '2020-04-04 15:30:00',
      '04/10/2020 02:15': 'type-error',
      '04/10/2020 02:30': '2020-10-03 15:30:00',
      '1/10/2020 02:30': 'type-error',
    },
  ],
  [
    'a day that a zone left out',
    '{ type: datetime, timezone: Pacific/Apia }',
    { '2011-12-30T12:00:00': 'type-error', '2011-12-31T00:00:00': '2011-12-30 10:00:00' },
  ],
  [
    'an e-mail address',
    '{ type: string, format: email }',
    {
      'a.b+c@example.org': 'a.b+c@example.org',
      'a@b': 'type-error',
      'a b@c.de': 'type-error',
      '.a@b.de': 'type-error',
      'a..b@c.de': 'type-error',
      'a@-b.de': 'type-error',
      'a@b.de\n': 'type-error',
      "o'neil@b.de": "o'neil@b.de",
      '': 'NULL',
    },
  ],
  [
    'a URI',
    '{ type: string, format: uri }',
    {
      'https://example.org/a?b=%20c#d': 'https://example.org/a?b=%20c#d',
      'mailto:a@b.de': 'mailto:a@b.de',
      'example.org': 'type-error',
      'http://a b': 'type-error',
      'http://a/%2': 'type-error',
    },
  ],
  [
    'a UUID',
    '{ type: string, format: uuid }',
    {
      '123e4567-e89b-12d3-a456-426614174000': '123e4567-e89b-12d3-a456-426614174000',
      '123e4567e89b12d3a456426614174000': 'type-error',
      '{123e4567-e89b-12d3-a456-426614174000}': 'type-error',
    },
  ],
  [
    'texts that are missing',
    '{ type: integer, missingValues: ["", NA, "-999", "0"] }',
    { '': 'NULL', NA: 'NULL', '-999': 'NULL', '0': 'NULL', '00': '0', na: 'type-error', ' NA': 'type-error' },
  ],
  ['a missing text', '{ missingValues: [n/a] }', { 'n/a': 'NULL', '': '', 'N/A': 'N/A' }],
  ['missing texts', '{ missingValues: ["n/a", "-"] }', { 'n/a': 'NULL', '-': 'NULL', '': '' }],
  ['a text that is never missing', '{ missingValues: [] }', { '': '', a: 'a' }],
  ['an integer that is never missing', '{ type: integer, missingValues: [] }', { '': 'type-error', '1': '1' }],
  ['a date that is never missing', '{ type: date, missingValues: [] }', { '': 'type-error' }],
]

suite('a column takes what it means and nothing else', () => {
  let values: readonly string[][] = []
  before(async () => {
    values = await read(table.map(([, declared, cells]) => ({ declared, cells: Object.keys(cells) })))
  })
  for (const [i, [what, , cells]] of table.entries()) {
    test(what, () => {
      const found = Object.keys(cells).map((text, at) => [text, values[i]?.[at]])
      assert.deepEqual(Object.fromEntries(found), cells)
    })
  }
})

test('a constraint is asked of every value, and its message says which rule was broken', async () => {
  const result = await mill(
    {
      rejects: 'keep',
      inputs: inputsOf(`
file:
  columns:
    n: { type: integer, required: true, minimum: 0, maximum: 9, enum: [1, 3, -3, 12] }
    x: { type: number, exclusiveMinimum: 0, exclusiveMaximum: 1.5 }
    d: { type: date, format: "%d.%m.%Y", minimum: "01.01.2020" }
    s: { minLength: 2, maxLength: 3, pattern: "[a-zé]+" }
    m: { type: "decimal(9,2)", decimalChar: ",", maximum: "0,50", minimum: 0.1 }
    b: { type: boolean, trueValues: [ja], falseValues: [nein], enum: [true] }
    t: { type: time, maximum: "12:00:00" }
    z: { type: datetime, timezone: Europe/Berlin, minimum: "2020-01-01T00:00:00", maximum: "2020-12-31T23:00:00Z" }
    q: { enum: ["it's", '\\'], pattern: "[^x]*'?.*" }
    i: { type: date, enum: [2020-01-01, 2020-01-02] }`),
      outputs: { rows: output('SELECT n FROM file') },
    },
    {
      'f.csv': [
        'n,x,d,s,m,b,t,z,q,i',
        `1,0.1,01.01.2020,ab,"0,50",ja,12:00:00,2020-01-01T00:00:00,it's,2020-01-01`,
        '3,,,,,,,,\\,',
        ',,,,,,,,,',
        '-3,0,31.12.2019,a,"0,05",,,,,',
        '12,1.5,01.01.2020,abcd,"0,51",,,,,',
        '2,x,01.01.2020,AB,,,,,,',
        '1,1,1.1.2019,éé,,,,,,',
        '1,,,,,nein,12:00:01,2019-12-31T22:59:59Z,its,2020-01-03',
        '1,,,,,,,2021-01-01T00:00:00,,',
        '1,,,,,,,2021-01-01T00:00:01,,',
        '',
      ].join('\n'),
    },
  )
  assert.equal(result.files['rows'], 'n\n1\n3\n1\n')
  assert.deepEqual(await faults(result), [
    '4 n constraint-error: the value is missing, and the column is required',
    '5 n constraint-error: “-3” is less than the minimum 0',
    '5 x constraint-error: “0” is not more than 0',
    '5 d constraint-error: “31.12.2019” is less than the minimum 01.01.2020',
    '5 s constraint-error: “a” is less than the least length, 2',
    '5 m constraint-error: “0,05” is less than the minimum 0.1',
    '6 n constraint-error: “12” is more than the maximum 9',
    '6 x constraint-error: “1.5” is not less than 1.5',
    '6 s constraint-error: “abcd” is more than the greatest length, 3',
    '6 m constraint-error: “0,51” is more than the maximum 0,50',
    '7 n constraint-error: “2” is not one of “1”, “3”, “-3”, “12”',
    '7 x type-error: “x” is not a number',
    '7 s constraint-error: “AB” does not match the pattern [a-zé]+',
    '8 d type-error: “1.1.2019” is not a date (%d.%m.%Y)',
    '9 b constraint-error: “nein” is not one of “true”',
    '9 t constraint-error: “12:00:01” is more than the maximum 12:00:00',
    '9 z constraint-error: “2019-12-31T22:59:59Z” is less than the minimum 2020-01-01T00:00:00',
    "9 q constraint-error: “its” is not one of “it's”, “\\”",
    '9 i constraint-error: “2020-01-03” is not one of “2020-01-01”, “2020-01-02”',
    '11 z constraint-error: “2021-01-01T00:00:01” is more than the maximum 2020-12-31T23:00:00Z',
  ])
  assert.deepEqual(result.report.inputs, { file: { records: 10, accepted: 3, rejected: 7, blankLines: 0 } })
})

test('a broken constraint is found by queries that never look at the column, and with several outputs', async () => {
  const inputs = inputsOf('file: { columns: { k: string, n: { type: integer, minimum: 0 } } }')
  const text = 'k,n\na,1\nb,2\nc,-1\n'
  for (const sql of ['SELECT k FROM file LIMIT 1', 'SELECT 1 AS one', 'SELECT count(*) AS n FROM file']) {
    const once = await mill({ inputs, outputs: { rows: output(sql) } }, { 'f.csv': text })
    const twice = await mill({ inputs, outputs: { rows: output(sql), more: output('FROM file') } }, { 'f.csv': text })
    for (const { report } of [once, twice]) {
      assert.match(report.error?.message ?? '', /^f\.csv line 4, column “n”: “-1” is less than the minimum 0/, sql)
    }
  }
  const kept = await mill(
    { inputs, rejects: 'keep', outputs: { n: output('SELECT count(*) AS n FROM file') } },
    { 'f.csv': text },
  )
  assert.equal(kept.files['n'], 'n\n2\n')
})

// With a backtracking matcher this would not end.
test('a pattern takes time in proportion to the text, whatever it is', { timeout: 60_000 }, async () => {
  const text = `s\n${'a'.repeat(1_000_000)}!\n`
  const result = await mill(
    { inputs: inputsOf(`file: { columns: { s: { pattern: "(a+)+" } } }`), outputs: { rows: output('FROM file') } },
    { 'f.csv': text },
  )
  assert.match((await faults(result))[0] ?? '', /^2 s constraint-error: “a{60}…” does not match the pattern \(a\+\)\+$/)
})

test('a long list of values costs little', async () => {
  const codes = Array.from({ length: 3000 }, (_, i) => `c${i}`)
  const text = `v,d\n${codes.map((code) => `${code},2020-01-01\n`).join('')}x,2020-01-02\n`
  const result = await mill(
    {
      rejects: 'keep',
      inputs: inputsOf(
        `file: { columns: { v: { enum: [${codes.join(', ')}] }, d: { type: date, enum: [${Array(2000).fill('2020-01-01').join(', ')}] } } }`,
      ),
      outputs: { n: output('SELECT count(*) AS n FROM file') },
    },
    { 'f.csv': text },
  )
  assert.equal(result.files['n'], 'n\n3000\n')
  assert.match((await faults(result))[0] ?? '', /“x” is not one of “c0”, .*“c9”, … \(3000\)$/)
})

test('what a contract says but no column can keep is the fault of the pipeline', async () => {
  for (const [declared, words] of [
    [`{ pattern: "(?=a)b" }`, /column “v”: pattern is no pattern in the syntax of RE2: invalid perl operator: \(\?=/],
    [`{ pattern: "(a{1000}){1000}" }`, /pattern is no pattern/],
    [
      `{ type: date, format: "%d.%m.%Y", minimum: "2020-01-01" }`,
      /minimum is "2020-01-01", which is not a date \(%d\.%m\.%Y\)/,
    ],
    [`{ type: "decimal(5,2)", enum: [0.5, 0.125] }`, /enum is 0\.125, which is not a decimal number/],
    [`{ type: integer, maximum: many }`, /maximum is "many", which is not an integer/],
  ] as const) {
    const { report } = await mill(
      { inputs: inputsOf(`file: { columns: { v: ${declared} } }`), outputs: { rows: output('FROM file') } },
      { 'f.csv': 'v\n' },
    )
    assert.equal(report.error?.code, 'unprocessable', declared)
    assert.match(report.error?.message ?? '', words)
  }
  const field = { ...plainField('v', 'datetime'), timezone: 'Mars/Olympus_Mons' }
  const { report } = await mill({ inputs: { file: { schema: plainSchema([field]) } } }, { 'f.csv': 'v\n' })
  assert.match(report.error?.message ?? '', /timezone is “Mars\/Olympus_Mons”, which is no zone here: Unknown TimeZone/)
})
