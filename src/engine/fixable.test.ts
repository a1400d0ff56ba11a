import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { declare, faults, inputsOf, mill, output } from '../../test/engine-fixture.ts'
import { runs } from '../../test/runs.ts'

const kept = { rejects: 'keep', outputs: { rows: output('FROM file') } } as const
const people = { ...kept, inputs: { file: declare({ id: 'integer', name: 'string', born: 'date' }) } }

test('each rejected record is there once, with all its faults, its cells under the original header', async () => {
  const text = [
    'born;name;id',
    '2000-01-01;Ann;1',
    '2000-02-30;"B; ""b""\nb";x',
    '2000-01-01;C',
    ';=1+1;y',
    '2000-01-01;D;4;5',
    '2000-01-01;"E"e;5',
    '2000-01-01;F\0;6',
    '',
  ].join('\n')
  const { report, files } = await mill(people, { 'people.csv': text })
  assert.deepEqual(report.rejects?.fixable, [{ input: 'file', file: 'out/rejects.fixable.file.csv' }])
  assert.equal(
    files['fixable file'],
    [
      '_line,_code,_message,born,name,id,_raw',
      '3,type-error; type-error,id: “x” is not an integer of at most 64 bits; born: “2000-02-30” is not a date (YYYY-MM-DD),2000-02-30,"B; ""b""\nb",x,',
      '5,missing-cell,the record has 2 of the header’s 3 cells,,,,2000-01-01;C',
      '6,type-error,id: “y” is not an integer of at most 64 bits,,=1+1,y,',
      '7,extra-cell,the record has 4 of the header’s 3 cells,,,,2000-01-01;D;4;5',
      '8,quote-error,there is text right behind a closing quote; a quote inside a quoted value must be doubled,,,,"2000-01-01;""E""e;5"',
      '9,nul-byte,there is a NUL byte in it,,,,2000-01-01;F\0;6',
      '',
    ].join('\n'),
  )
})

test('a run that has failed has no such file, since all of it is to be sent again', async () => {
  const { report } = await mill({ ...people, rejects: 'fail' }, { 'people.csv': 'id,name,born\nx,A,2000-01-01\n' })
  assert.deepEqual([report.error?.code, report.rejects?.count, report.rejects?.fixable], ['rejected', 1, []])
})

test('files of one input share their columns, and each input has its own list', async () => {
  const inputs = inputsOf(`
file: { columns: { n: integer, a: string, b: string }, fieldsMatch: partial }
other: { columns: { m: integer } }`)
  const { files } = await mill(
    { ...kept, inputs },
    { 'file-1.csv': 'n,a\nx,1\n', 'other.csv': 'm\n1\ny\n', 'file-2.csv': 'b,n\n2,x\n3,z,\n' },
  )
  assert.equal(
    files['fixable file'],
    `_line,_code,_message,n,a,b,_raw
2,type-error,file-1.csv: n: “x” is not an integer of at most 64 bits,x,1,,
2,type-error,file-2.csv: n: “x” is not an integer of at most 64 bits,x,,2,
3,extra-cell,file-2.csv: the record has 3 of the header’s 2 cells,,,,"3,z,"
`,
  )
  assert.equal(
    files['fixable other'],
    '_line,_code,_message,m,_raw\n3,type-error,m: “y” is not an integer of at most 64 bits,y,\n',
  )
})

test('the columns have the names by which they are found again', async () => {
  const columns = 'file: { columns: { n: integer, Name: string }, fieldsMatch: subset }'
  const declared = await mill({ ...kept, inputs: inputsOf(columns) }, { 'a.csv': 'name,n,Name,,_raw\na,x,b,c,d\n' })
  assert.match(declared.files['fixable file'] ?? '', /^_line,_code,_message,name,n,Name,column_4,_raw,_raw\n/)
  const again = await mill(
    { ...kept, inputs: inputsOf(columns) },
    { 'a.csv': (declared.files['fixable file'] ?? '').replace(',x,', ',1,') },
    { corrects: 1 },
  )
  assert.equal(again.files['rows'], 'n,Name\n1,b\n')
  const undeclared = await mill(kept, { 'a.csv': 'a,A,,a\n1,2,3,4\n5,6,7,8\n1\n' })
  assert.match(undeclared.files['fixable file'] ?? '', /^_line,_code,_message,a,A_2,column_3,a_3,_raw\n/)
})

test('what is corrected comes in, whatever the original was like, and what is not is a reject again', async () => {
  const reader = { delimiter: ';', encoding: 'windows-1252', header: true } as const
  const inputs = { file: { ...people.inputs.file, reader } }
  const first = await mill({ ...kept, inputs }, { 'a.csv': Buffer.from('id;name;born\nx;\xe9;\n2\n3\n', 'latin1') })
  const list = first.files['fixable file'] ?? ''
  const corrected = list.replace(',x,é,,', ',1,é,2000-01-01,').replace(',,,,2\n', ',2,"two, 2",,2\n')
  const params = { 'reader.delimiter': '|' }
  const second = await mill({ ...kept, inputs }, { 'fixed.csv': `\ufeff${corrected}` }, { corrects: 3, params })
  assert.deepEqual(second.report.inputs, { file: { records: 3, accepted: 2, rejected: 1, blankLines: 0 } })
  assert.equal(second.files['rows'], 'id,name,born\n1,é,2000-01-01\n2,"two, 2",\n')
  assert.deepEqual(await faults(second), [
    '4 id missing-cell: the record was not corrected: its cells are empty, and _raw has it as it stood',
  ])
  // The next one who corrects it has the record itself before him.
  assert.match(
    second.files['fixable file'] ?? '',
    /^_line,_code,_message,id,name,born,_raw\n4,missing-cell,"the record was not .*",,,,3\n$/,
  )
})

test('of a record that was not corrected nothing else is said, whatever is asked of its cells', async () => {
  const inputs = inputsOf(`
file:
  columns: { id: { type: integer, missingValues: ["-"] }, name: string }
  primaryKey: name`)
  const text = '_line,_code,_message,id,name,_raw\n2,x,x,,,as it stood\n3,x,x,1,a,\n4,x,x,,,\n'
  const result = await mill({ ...kept, inputs }, { 'fixed.csv': text }, { corrects: 3 })
  assert.deepEqual(
    (await faults(result)).map((one) => one.split(':')[0]),
    ['2 id missing-cell', '4 id type-error', '4 name primary-key'],
  )
})

test('a file that is no such list, or has more records than there are to correct, is refused', async () => {
  for (const [text, words] of [
    ['id,name,born\n1,a,2000-01-01\n', /fixed\.csv line 1: column “_line” is missing\. .*fixable/],
    ['_line;_code;_message;id;name;born;_raw\n2;x;x;1;a;;\n', /column “_line” is missing/],
    ['_line,_code,_message,id,name,born\n2,x,x,1,a,\n', /column “_raw” is missing/],
    ['_line,_code,_message,id,born,_raw\n2,x,x,1,,\n', /column “name” is missing/],
    ['_line,_code,_message,id,name,born,_raw\n2,x,x,1,a,,\n2,x,x,1,a,,\n', /has 2 records, and 1 are there/],
  ] as const) {
    const { report } = await mill(people, { 'fixed.csv': text }, { corrects: 1 })
    assert.equal(report.error?.code, 'rejected')
    assert.match(report.error?.message ?? '', words)
  }
})

test('every cell comes back as it was, whatever is in it', async () => {
  const piece = fc.constantFrom(
    'a',
    'é',
    '😀',
    ',',
    ';',
    '"',
    '\n',
    '\r\n',
    '\u001b',
    '\u001f',
    '\u0001',
    '\u001b1',
    ' ',
  )
  const cell = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''))
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  const inputs = { file: declare({ n: 'integer', a: 'string', b: 'string' }) }
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), async (records) => {
      const text = `n,a,b\n${records.map(([a, b]) => `x,${quoted(a)},${quoted(b)}\n`).join('')}`
      const { files } = await mill({ ...kept, inputs }, { 'a.csv': text })
      const list = parse(files['fixable file'] ?? '')
      assert.deepEqual(
        list.slice(1).map(([, , , , a, b]) => [a, b]),
        records,
      )
    }),
    runs(6),
  )
})

test('nothing and an empty text stay two things where they are', async () => {
  const target = { table: 't', mode: 'append', key: [], drift: 'fail', undoable: false } as const
  const columns = ['n', 'a', 'b'].map((name, i) => {
    const field = { type: i === 0 ? ('integer' as const) : ('string' as const), constraints: {} }
    return { name, field, absent: 'null' as const, isComputed: false }
  })
  const outputs = { rows: { to: 'warehouse', sql: 'FROM file' } }
  const more = { targets: { rows: { target, rows: 'csv', columns } } } as const
  const { files } = await mill({ ...kept, outputs }, { 'a.csv': 'n,a,b\nx,,""\n1,,""\n' }, more)
  assert.match(files['fixable file'] ?? '', /,x,,"",\n$/)
})
