import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import { inputsOf, mill, output } from '../../test/engine-fixture.ts'

const header = 'input,line,byte_offset,record,column,code,message,raw\n'

/** All columns of the relation, so that no text has to be read from CSV; and the list as another reader has it. */
async function told(inputs: string, text: string | Buffer) {
  const { report, files } = await mill(
    {
      inputs: inputsOf(inputs),
      rejects: 'keep',
      outputs: {
        seen: output('SELECT *, map_keys(cells) AS names, map_values(cells) AS texts FROM rejects', 'ndjson'),
      },
    },
    { 'f.csv': text },
  )
  assert.equal(report.error, null)
  const seen = (files['seen'] ?? '').split('\n').slice(0, -1)
  return {
    seen: seen.map((line) => JSON.parse(line) as Record<string, unknown>),
    listed: parse<Record<string, string>>(files['rejects'] ?? '', { columns: true }),
  }
}

test('a rejected record is told as it stood, and its cells one by one, whatever is in them', async () => {
  const specials = "\u0001|\u001b|\u001b0|\u001b,|\u001f|\u001e|\u0002|\u007f|\ufeff|\\xFF|😀|,|;|#|'|NULL| "
  const records: readonly (readonly [raw: string, cells: readonly string[] | null])[] = [
    // Too many cells.
    [`"${specials}",b,c,d`, [specials, 'b', 'c']],
    ['"a ""b"", c","d\ne\r\nf\rg",,x', ['a "b", c', 'd\ne\r\nf\rg', '']],
    [',,,', ['', '', '']],
    ['\ufeffa,\ufeff,\ufeff\ufeff,', ['\ufeffa', '\ufeff', '\ufeff\ufeff']],
    // Too few.
    ['""', ['']],
    [',', ['', '']],
    ['a', ['a']],
    // A NUL.
    ['a,b\0c,', ['a', 'b\0c', '']],
    // No record.
    ['a,"b"c,d', null],
  ]
  const text = ['a,"é ""b""",c', ...records.map(([raw]) => raw), ''].join('\n')
  const { seen, listed } = await told('file: { columns: { a: string, \'é "b"\': string, c: string } }', text)
  for (const rejects of [seen, listed]) {
    assert.deepEqual(
      rejects.map(({ raw }) => raw),
      records.map(([raw]) => raw),
    )
  }
  const cells = records.map(([, texts]) => texts)
  assert.deepEqual(
    seen.map(({ texts }) => texts),
    cells,
  )
  const names = ['a', 'é "b"', 'c']
  assert.deepEqual(
    seen.map((one) => one['names']),
    cells.map((texts) => (texts === null ? null : names.slice(0, texts.length))),
  )
  assert.deepEqual(
    seen.map(({ record, file, input }) => [record, file, input]),
    records.map((_, i) => [i + 1, 'f.csv', 'file']),
  )
})

test('bytes that are no text are shown in the list and in the relation', async () => {
  const text = Buffer.concat([Buffer.from(`a,b\n${'é,é\n'.repeat(50)}`), Buffer.from('caf\xff,\xfe\n', 'latin1')])
  const { seen, listed } = await told('file: { columns: { a: string, b: string } }', text)
  for (const [one] of [seen, listed]) assert.equal(one?.['raw'], 'caf\\xff,\\xfe')
})

test('a value that is not of its type is told as it stood, whatever is in it', async () => {
  const values = ['\ufeff1', '\u0001', '\u001b1', '\u001f', ' ', '1\n2', '😀', '\u001b,', `${'a'.repeat(59)}😀😀`]
  const text = `n,note\n${values.map((value) => `"${value}","${value}"\n`).join('')}`
  const { seen, listed } = await told('file: { columns: { n: integer, note: string } }', text)
  assert.deepEqual(
    seen.map(({ texts }) => texts),
    values.map((value) => [value, value]),
  )
  const shown = (value: string) => (value.length > 60 ? `${'a'.repeat(59)}…` : value)
  for (const rejects of [seen, listed]) {
    assert.deepEqual(
      rejects.map(({ message }) => message),
      values.map((value) => `“${shown(value)}” is not an integer of at most 64 bits`),
    )
  }
})

test('a column without a name is not the same as no column', async () => {
  const { files } = await mill(
    { rejects: 'keep', outputs: { seen: output('SELECT "column" IS NULL AS none, cells FROM rejects') } },
    { 'f.csv': 'a,,c\n1\n1,2,3\n1,2,3,4\n1,2,3\n' },
  )
  assert.equal(files['seen'], 'none,cells\nfalse,{a=1}\ntrue,"{a=1, column_2=2, c=3}"\n')
  assert.equal(
    files['rejects'],
    `${header}${[
      'file,2,5,1,"",missing-cell,the record has 1 of the header’s 3 cells,1',
      'file,4,13,3,,extra-cell,the record has 4 of the header’s 3 cells,"1,2,3,4"',
      '',
    ].join('\n')}`,
  )
})

test('the relation has the same columns and types with and without rejects', async () => {
  const types = 'SELECT typeof(COLUMNS(*)) FROM (SELECT 1) LEFT JOIN rejects ON true LIMIT 1'
  for (const [rejects, text] of [
    ['keep', 'n\n1\n'],
    ['keep', 'n\n1\nx\n'],
  ] as const) {
    const inputs = inputsOf('file: { columns: { n: integer } }')
    const { report, files } = await mill({ inputs, rejects, outputs: { types: output(types) } }, { 'f.csv': text })
    assert.equal(report.rejects?.count ?? 0, text.includes('x') ? 1 : 0)
    assert.equal(
      files['types'],
      '1,input,file,line,byte_offset,record,column,code,message,raw,cells\n' +
        'INTEGER,VARCHAR,VARCHAR,BIGINT,BIGINT,BIGINT,VARCHAR,VARCHAR,VARCHAR,VARCHAR,"MAP(VARCHAR, VARCHAR)"\n',
    )
  }
})

test('rejected records of many MiB are listed in the memory that a task has', async () => {
  const cell = 'x'.repeat(12 << 20)
  const { report, files } = await mill(
    {
      inputs: inputsOf('file: { columns: { a: string, b: string } }'),
      rejects: 'keep',
      outputs: { seen: output("SELECT line, strlen(raw) AS raw, strlen(cells['b']) AS b FROM rejects") },
    },
    { 'f.csv': `a,b\n${`1,${cell},3\n`.repeat(3)}` },
    { memory: 200e6 },
  )
  assert.equal(report.error, null)
  const shown = (1 << 20) + Buffer.byteLength('…')
  assert.equal(files['seen'], `line,raw,b\n${[2, 3, 4].map((line) => `${line},${shown},${cell.length}\n`).join('')}`)
})
