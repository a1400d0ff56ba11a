import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faults, inputsOf, mill, output } from '../../test/engine-fixture.ts'
import type { FieldsMatch } from '../table-schema.ts'

const reasons: Readonly<Record<FieldsMatch, Readonly<Record<string, string>>>> = {
  equal: { 'a,b,c': '', 'c,a,b': '', 'a,b': 'missing-label', 'a,b,c,d': 'extra-label', 'a,b,c,a': 'duplicate-label' },
  exact: { 'a,b,c': '', 'b,a,c': 'incorrect-label', 'a,b': 'missing-label', 'a,b,c,d': 'extra-label' },
  subset: {
    'a,b,c': '',
    'd,c,b,a': '',
    'd,d,c,b,a': '',
    'a,b': 'missing-label',
    'a,b,d': 'missing-label',
    'a,a,b,c': 'duplicate-label',
  },
  superset: { 'a,b,c': '', 'c,a': '', 'a,c,d': 'extra-label', 'b,c': 'missing-label', d: 'missing-label' },
  partial: { 'a,b,c': '', 'd,a': '', a: '', 'd,e': 'missing-label', 'b,c': 'missing-label', 'a,a': 'duplicate-label' },
}

for (const [match, headers] of Object.entries(reasons)) {
  test(`under ${match} a file has the columns that Table Schema says`, async () => {
    for (const [header, reason] of Object.entries(headers)) {
      const inputs = inputsOf(
        `file: { columns: { a: { type: integer, required: true }, b: string, c: date }, fieldsMatch: ${match} }`,
      )
      const cells = header.split(',').map((name) => ({ a: '1', b: 'x', c: '2020-01-01' })[name] ?? '?')
      const text = `${header}\n${cells.join(',')}\n`
      const { report, files } = await mill({ inputs, outputs: { rows: output('FROM file') } }, { 'f.csv': text })
      assert.equal(report.error?.details?.['reason'] ?? '', reason, header)
      if (reason !== '') {
        assert.match(report.error?.message ?? '', /^f\.csv line 1: column “[a-e]” .* 3 are expected/)
        continue
      }
      const values = ['a', 'b', 'c'].map((name) => cells[header.split(',').indexOf(name)] ?? '')
      assert.equal(files['rows'], `a,b,c\n${values.join(',')}\n`, header)
    }
  })
}

test('warnings tell which columns are left out and which are empty', async () => {
  const inputs = inputsOf('file: { columns: { a: integer, b: { unique: true }, c: date }, fieldsMatch: partial }')
  const sql = `SELECT a, typeof(b) AS b, typeof(c) AS c, (SELECT count(*) FROM columns) AS n FROM file`
  const { report, files } = await mill({ inputs, outputs: { rows: output(sql) } }, { 'f.csv': 'd,a\nx,1\ny,2\n' })
  assert.equal(files['rows'], 'a,b,c,n\n1,VARCHAR,DATE,1\n2,VARCHAR,DATE,1\n')
  assert.deepEqual(report.warnings, [
    { code: 'missing-label', message: 'f.csv: column “b” is declared but not there, and has no values' },
    { code: 'missing-label', message: 'f.csv: column “c” is declared but not there, and has no values' },
    { code: 'extra-label', message: 'f.csv: column “d” is not declared, and is left out' },
  ])
})

test('the cells of a reject go by the names in the file, declared or not', async () => {
  const inputs = inputsOf('file: { columns: { n: integer }, fieldsMatch: subset }')
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { cells: output('SELECT cells FROM rejects', 'ndjson') } },
    { 'f.csv': 'x,n,x\na,1,b\nc,z,d\n' },
  )
  assert.deepEqual(await faults(result), ['3 n type-error: “z” is not an integer of at most 64 bits'])
  assert.deepEqual(JSON.parse(result.files['cells'] ?? ''), { cells: { x: 'c', n: 'z', x_2: 'd' } })
})

test('the files of an input may lack different columns', async () => {
  const inputs = inputsOf('file: { columns: { a: integer, b: { type: integer, minimum: 0 } }, fieldsMatch: superset }')
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { rows: output('FROM file ORDER BY ALL') } },
    { 'one.csv': 'a\n1\n', 'two.csv': 'b\n2\n-2\n', 'three.csv': 'b,a\n3,4\n' },
  )
  assert.equal(result.files['rows'], 'a,b\n1,\n4,3\n,2\n')
  assert.deepEqual(await faults(result), ['3 b constraint-error: “-2” is less than the minimum 0'])
})
