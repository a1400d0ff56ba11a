import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { faults, inputsOf, mill, output } from '../../test/engine-fixture.ts'
import { runs } from '../../test/runs.ts'

test('the second record with a primary key is rejected, in the order of the files, whatever the layout', async () => {
  const inputs = inputsOf('file: { columns: { id: integer, s: string }, primaryKey: id }')
  for (const quote of ['', '"']) {
    const one = `id,s\n1,${quote}a${quote}\n2,b\n1,c\n`
    const result = await mill(
      { inputs, rejects: 'keep', outputs: { rows: output('FROM file ORDER BY id') } },
      { 'one.csv': one, 'two.csv': 's,id\nx,007\ny,02\nz,7\nw,\nv,q\n' },
    )
    assert.equal(result.files['rows'], 'id,s\n1,a\n2,b\n7,x\n')
    assert.deepEqual(await faults(result), [
      '4 id primary-key: “1” is there already, on line 2 of one.csv',
      '3 id primary-key: “02” is there already, on line 3 of one.csv',
      '4 id primary-key: “7” is there already, on line 2 of two.csv',
      '5 id primary-key: the value is missing, and the column is part of the primary key',
      '6 id type-error: “q” is not an integer of at most 64 bits',
    ])
    assert.deepEqual(result.report.inputs, { file: { records: 8, accepted: 3, rejected: 5, blankLines: 0 } })
  }
})

test('one broken key fails the run, even for a query that never looks at it', async () => {
  const inputs = inputsOf('file: { columns: { id: { type: integer, unique: true }, s: string } }')
  for (const sql of ['SELECT s FROM file LIMIT 1', 'SELECT 1 AS one', 'SELECT count(*) AS n FROM file']) {
    const { report } = await mill({ inputs, outputs: { rows: output(sql) } }, { 'f.csv': 'id,s\n1,a\n2,b\n1,c\n' })
    assert.match(report.error?.message ?? '', /^f\.csv line 4, column “id”: “1” is there already, on line 2 of f\.csv/)
    assert.deepEqual(report.error?.details, {
      input: 'file',
      file: 'f.csv',
      line: 4,
      column: 'id',
      records: 3,
      rejected: 1,
    })
  }
})

test('missing values do not collide, and a key of several columns collides as a whole', async () => {
  const inputs = inputsOf(`
file:
  columns: { a: string, b: integer, mail: { unique: true } }
  uniqueKeys: [[a, b]]`)
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { n: output('SELECT count(*) AS n FROM file') } },
    { 'f.csv': 'a,b,mail\nx,1,\nx,2,\nx,,m\nx,,m\nx,01,m\ny,1,\n' },
  )
  assert.deepEqual(await faults(result), [
    '5 mail unique-error: “m” is there already, on line 4 of f.csv',
    '6 - unique-error: “x”, “01” (a, b) are there already, on line 2 of f.csv',
    '6 mail unique-error: “m” is there already, on line 4 of f.csv',
  ])
  assert.deepEqual(result.report.inputs, { file: { records: 6, accepted: 4, rejected: 2, blankLines: 0 } })
  assert.equal(result.files['n'], 'n\n4\n')
})

test('a record that is not sound by itself takes no key', async () => {
  const inputs = inputsOf(
    'file: { columns: { id: { type: integer, unique: true }, n: integer }, primaryKey: [id], uniqueKeys: [[id]] }',
  )
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { rows: output('FROM file') } },
    { 'f.csv': 'id,n\n1,x\n1,2\n1,3\n1\n' },
  )
  assert.equal(result.files['rows'], 'id,n\n1,2\n')
  assert.deepEqual(await faults(result), [
    '2 n type-error: “x” is not an integer of at most 64 bits',
    '4 id primary-key: “1” is there already, on line 3 of f.csv',
    '5 n missing-cell: the record has 1 of the header’s 2 cells',
  ])
})

const shop = inputsOf(`
items:
  columns: { order: integer, sku: string }
  foreignKeys: [{ fields: order, reference: { resource: orders, fields: id } }]
orders:
  columns: { id: integer, customer: string, day: date }
  primaryKey: id
  foreignKeys: [{ fields: [customer], reference: { resource: customers, fields: [code] } }]
customers:
  columns: { code: string, name: string }
  primaryKey: code`)

test('a record whose parent is not there is rejected, and so are those that refer to it', async () => {
  const result = await mill(
    { inputs: shop, rejects: 'keep', outputs: { rows: output('FROM items'), orders: output('SELECT id FROM orders') } },
    {
      'items.csv': 'order,sku\n10,a\n11,b\n12,c\n13,d\n,e\n',
      'orders.csv':
        'id,customer,day\n10,A,2020-01-01\n11,B,2020-01-01\n12,A,2020-13-01\n13,,2020-01-01\n10,A,2020-01-01\n',
      'customers.csv': 'code,name\nA,Ann\nA,Bob\n',
    },
  )
  assert.deepEqual(result.report.error, null)
  assert.equal(result.files['rows'], 'order,sku\n10,a\n13,d\n,e\n')
  assert.equal(result.files['orders'], 'id\n10\n13\n')
  assert.deepEqual(await faults(result), [
    '3 order foreign-key: no accepted record of orders has “11” as its id',
    '4 order foreign-key: no accepted record of orders has “12” as its id',
    '3 customer foreign-key: no accepted record of customers has “B” as its code',
    '4 day type-error: “2020-13-01” is not a date (YYYY-MM-DD)',
    '6 id primary-key: “10” is there already, on line 2 of orders.csv',
    '3 code primary-key: “A” is there already, on line 2 of customers.csv',
  ])
  assert.deepEqual(result.report.inputs, {
    items: { records: 5, accepted: 3, rejected: 2, blankLines: 0 },
    orders: { records: 5, accepted: 2, rejected: 3, blankLines: 0 },
    customers: { records: 2, accepted: 1, rejected: 1, blankLines: 0 },
  })
})

test('a sound set of files is joined where it stands, without a copy', async () => {
  const { report, files, flat } = await mill(
    {
      inputs: shop,
      outputs: {
        rows: output('SELECT sku, name FROM items JOIN orders ON "order" = id JOIN customers ON customer = code'),
      },
    },
    {
      'items.csv': 'order,sku\n10,a\n',
      'orders.csv': 'id,customer,day\n10,A,2020-01-01\n',
      'customers.csv': 'code,name\nA,Ann\n',
    },
  )
  assert.equal(files['rows'], 'sku,name\na,Ann\n')
  assert.deepEqual([report.error, report.rejects, flat], [null, null, []])
})

test('a key may refer to its own input', async () => {
  const inputs = inputsOf(`
file:
  columns: { id: integer, boss: integer }
  primaryKey: id
  foreignKeys: [{ fields: boss, reference: { resource: "", fields: id } }]`)
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { rows: output('SELECT id FROM file') } },
    { 'f.csv': 'id,boss\n1,\n2,1\n3,4\n4,9\n2,2\n5,5\n' },
  )
  // Asked once: 3 refers to 4, which was there when it was asked.
  assert.equal(result.files['rows'], 'id\n1\n2\n3\n5\n')
  assert.deepEqual(await faults(result), [
    '5 boss foreign-key: no accepted record of file has “9” as its id',
    '6 id primary-key: “2” is there already, on line 3 of f.csv',
  ])
})

test('a record with several broken keys is one rejected record', async () => {
  const inputs = inputsOf(`
child:
  columns: { id: integer, p: integer }
  primaryKey: id
  foreignKeys: [{ fields: p, reference: { resource: parent, fields: id } }]
parent: { columns: { id: integer } }`)
  const result = await mill(
    { inputs, rejects: 'keep', outputs: { rows: output('SELECT code, record FROM rejects ORDER BY code') } },
    { 'child.csv': 'id,p\n1,1\n1,2\n', 'parent.csv': 'id\n1\n' },
  )
  assert.deepEqual(result.report.inputs['child'], { records: 2, accepted: 1, rejected: 1, blankLines: 0 })
  assert.equal(result.files['rows'], 'code,record\nforeign-key,2\nprimary-key,2\n')
  assert.equal((await faults(result)).length, 2)
})

test('keys are judged as a table in memory would judge them, for any records', async () => {
  const inputs = inputsOf('file: { columns: { a: integer, b: { unique: true } }, primaryKey: a }')
  const cell = fc.constantFrom('', '1', '2', '01', '3', 'x')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { maxLength: 12 }),
      fc.array(fc.tuple(cell, cell), { maxLength: 6 }),
      fc.boolean(),
      async (first, second, quoted) => {
        const csv = (rows: typeof first) =>
          `a,b\n${rows.map((cells) => `${cells.map((one) => (quoted ? `"${one}"` : one)).join(',')}\n`).join('')}`
        const { report } = await mill(
          { inputs, rejects: 'keep', outputs: { rows: output('FROM file') } },
          { 'one.csv': csv(first), 'two.csv': csv(second) },
        )
        const sound = [...first, ...second].filter(([a]) => /^\d+$/.test(a))
        const seen = { a: new Set<number>(), b: new Set<string>() }
        let accepted = 0
        for (const [a, b] of sound) {
          if (!seen.a.has(Number(a)) && !(b !== '' && seen.b.has(b))) accepted++
          seen.a.add(Number(a))
          if (b !== '') seen.b.add(b)
        }
        const records = first.length + second.length
        assert.deepEqual(report.inputs['file'], { records, accepted, rejected: records - accepted, blankLines: 0 })
        assert.equal(report.outputs[0]?.rows, accepted)
      },
    ),
    runs(6),
  )
})

test('keys that do not fit into memory are checked on the disk', async () => {
  const inputs = inputsOf(`
child:
  columns: { id: { unique: true } }
  foreignKeys: [{ fields: id, reference: { resource: parent, fields: id } }]
parent: { columns: { id: string }, primaryKey: id }`)
  const records = 500_000
  const ids = Array.from({ length: records }, (_, i) => `${(i * 7919) % records}-`.padEnd(120, 'x'))
  const text = `id\n${ids.join('\n')}\n`
  const { report, files } = await mill(
    { inputs, outputs: { n: output('SELECT count(*) AS n FROM child') } },
    { 'child.csv': text, 'parent.csv': text },
    { memory: 120e6 },
  )
  assert.equal(report.error, null)
  assert.equal(files['n'], `n\n${records}\n`)
  assert.equal(report.inputs['parent']?.accepted, records)
})
