import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { tableContract } from '../../../test/contracts/tables.ts'
import { databaseFile, load, manyRows, produce, targetOf, writing } from '../../../test/file-fixture.ts'
import type { ColumnType } from '../../table-schema.ts'

const people = { id: 'integer', name: 'string' } as const

tableContract({
  name: 'SQLite',
  skip: false,
  open: async () => {
    const file = await databaseFile('SQLite')
    return { sink: file.sink(), rows: file.query, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
  },
})

test('a table is read as it was declared', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (id INTEGER PRIMARY KEY, a VARCHAR(5) NOT NULL, b DECIMAL (10, 2), c unsigned big int,
    d NUMERIC, e "DOUBLE PRECISION" DEFAULT 0 NOT NULL, f timestamp, g, h BLOB, i UUID, j BOOL, k AS (c + 1), l DECIMAL(5))`)
  const columns = await file.sink().check(targetOf())
  assert.deepEqual(
    columns?.map(({ name, field, absent, isComputed }) => [name, field?.type, absent, isComputed]),
    [
      ['id', 'integer', 'filled', false],
      ['a', 'string', 'refused', false],
      ['b', 'decimal(10,2)', 'null', false],
      ['c', 'integer', 'null', false],
      ['d', 'string', 'null', false],
      ['e', 'number', 'filled', false],
      ['f', 'datetime', 'null', false],
      ['g', 'string', 'null', false],
      ['h', undefined, 'null', false],
      ['i', 'string', 'null', false],
      ['j', 'boolean', 'null', false],
      ['k', 'string', 'null', true],
      ['l', 'decimal(5,0)', 'null', false],
    ],
  )
  assert.deepEqual(columns?.[1]?.field?.constraints, { required: true })
  const isNumber = new RegExp(`^(${columns?.[4]?.field?.constraints.pattern})$`)
  assert.deepEqual(
    ['1', '-1.50', '+.5', '1e5', '', 'x', '1,5'].map((text) => isNumber.test(text)),
    [true, true, true, true, false, false, false],
  )
})

test('a key that is not the number of the row must come where it may not be NULL', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (code TEXT PRIMARY KEY, n) WITHOUT ROWID`)
  assert.equal((await file.sink().check(targetOf()))?.[0]?.absent, 'refused')
})

test('a new table keeps texts texts, and numbers numbers', async () => {
  await using file = await databaseFile('SQLite')
  const columns = {
    code: 'string',
    price: 'decimal(10,2)',
    exact: 'decimal(30,2)',
    share: 'number',
    at: 'datetime',
    clock: 'time',
    day: 'date',
    sure: 'boolean',
  } as const
  const row = [
    '007',
    '1234.50',
    '1234567890123456789012345678.90',
    'inf',
    '2024-01-05 10:00:00',
    '10:00:00',
    '2024-01-05',
    '1',
  ]
  await load(file, { task: 'T1', columns, rows: [row] })
  const names = Object.keys(columns)
  assert.deepEqual(await file.query(`SELECT ${names.map((name) => `typeof("${name}")`).join(', ')} FROM people`), [
    ['text', 'real', 'text', 'real', 'text', 'text', 'text', 'integer'],
  ])
  assert.deepEqual((await file.query('SELECT code, exact, share, at FROM people'))[0], [
    '007',
    row[2],
    'Infinity',
    row[4],
  ])
})

test('what a column would change is refused', async () => {
  await using file = await databaseFile('SQLite')
  await file.query('CREATE TABLE people (code STRING, price DECIMAL(20,2))')
  const given = { columns: { code: 'string', price: 'decimal(20,2)' }, there: ['code', 'price'] } as const
  await load(file, { task: 'T1', ...given, rows: [['A7', '1234567890123.45']] })
  await assert.rejects(
    load(file, { task: 'T2', ...given, rows: [['007', null]] }),
    /cannot keep “007” as it is in the column “code”/,
  )
  const tooLong = load(file, { task: 'T3', ...given, rows: [[null, '123456789012345678.25']] })
  await assert.rejects(tooLong, { code: 'unprocessable' })
  assert.deepEqual(await file.query('SELECT code, price FROM people'), [['A7', '1234567890123.45']])
})

test('a column of numbers takes those that SQLite holds exactly, and refuses others', async () => {
  await using file = await databaseFile('SQLite')
  await file.query('CREATE TABLE people (any NUMERIC, some DECIMAL, real REAL)')
  const load1 = (column: string, type: ColumnType, value: string) =>
    load(file, {
      task: `T${column}_${value}`,
      columns: { [column]: type },
      there: ['any', 'some', 'real'],
      rows: [[value]],
    })
  const held = [
    ['any', 'string', '1.50', '1.5'],
    ['some', 'string', '9223372036854775807', '9223372036854775807'],
    ['any', 'string', '-12000000000000000000000', '-1.2e+22'],
    ['some', 'decimal(38,2)', '1234567890123.45', '1234567890123.45'],
    ['any', 'number', '0.30000000000000004', '0.30000000000000004'],
    ['real', 'number', 'inf', 'Infinity'],
    ['real', 'integer', '9007199254740991', '9007199254740991'],
    ['real', 'decimal(20,2)', '0.50', '0.5'],
  ] as const
  for (const [column, type, value, expected] of held) {
    await load1(column, type, value)
    assert.deepEqual(await file.query(`SELECT ${column} FROM people`), [[expected]], value)
    await file.query('DELETE FROM people')
  }
  for (const [column, type, value] of [
    ['any', 'string', '0.1234567890123456789'],
    ['some', 'string', '12345678901234567.89'],
    ['any', 'string', '9223372036854775809'],
    ['some', 'string', '1e400'],
    ['any', 'string', 'x'],
    ['any', 'decimal(38,18)', '1.000000000000000001'],
    ['real', 'decimal(20,2)', '123456789012345678.25'],
    ['real', 'integer', '9007199254740993'],
  ] as const) {
    await assert.rejects(load1(column, type, value), { code: 'unprocessable', message: /cannot keep/ }, value)
  }
})

test('rows come no faster than they are taken, also while another process has the file', async () => {
  await using file = await databaseFile('SQLite')
  await load(file, { task: 'T0', columns: people, rows: [['1', 'Ada']] })
  await using delivery = await file.sink({ patienceMs: 500 }).begin({ task: 'T1', output: 'rows' }, 1, targetOf())
  const produced = await manyRows(file)
  let bytes = 0
  async function* counted() {
    for await (const chunk of produced.open(writing.signal) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      yield chunk
    }
  }
  const open = () => Readable.from(counted(), { objectMode: false })
  using db = new DatabaseSync(file.path)
  db.exec('BEGIN IMMEDIATE')
  await assert.rejects(delivery.write({ ...produced, open }, writing), { code: 'unavailable' })
  assert.ok(bytes > 0 && bytes < 2 ** 24, `${bytes} bytes`)
})

test('a new table in the place of an old one is like it, and the old one is kept until the next', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT COLLATE NOCASE DEFAULT "x" UNIQUE,
      double AS (id * 2));
    CREATE INDEX by_name ON people (lower(name)) WHERE id > 0;
    CREATE VIEW names AS SELECT name, double FROM people;
    INSERT INTO people (id) VALUES (41)`)
  for (const [n, names] of [['Ada'], ['Bob', 'Cid']].entries()) {
    const rows = names.map((name) => [name])
    await load(file, { task: `T${n}`, target: { mode: 'replace' }, columns: { name: 'string' }, rows })
  }
  assert.deepEqual(await file.query('SELECT name, double FROM names ORDER BY name'), [
    ['Bob', '86'],
    ['Cid', '88'],
  ])
  const like = await file.query(
    `SELECT name, sql LIKE '%people%' FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name`,
  )
  assert.deepEqual(
    like.map(([name]) => name),
    ['_rowmill_kept_T1_rows', '_rowmill_loads', 'by_name', 'names', 'people'],
  )
  assert.deepEqual(await file.query('SELECT name FROM "_rowmill_kept_T1_rows"'), [['Ada']])
  const twice = { task: 'T3', target: { mode: 'replace' }, columns: { name: 'string' }, rows: [['a'], ['A']] } as const
  await assert.rejects(load(file, twice), { code: 'unprocessable', message: /UNIQUE constraint failed: people.name/ })
  assert.equal((await file.query('SELECT * FROM people')).length, 2)
})

test('a table that triggers or foreign keys hold on to is not replaced', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE pets (owner INTEGER REFERENCES people);
    CREATE TRIGGER greet AFTER INSERT ON people BEGIN SELECT 1; END`)
  const replacing = load(file, { task: 'T1', target: { mode: 'replace' }, columns: people, rows: [['1', 'Ada']] })
  await assert.rejects(replacing, { code: 'conflict', message: /the foreign key of pets, the trigger greet/ })
})

test('an upsert goes by the collation of its key, and a change of case is a change', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (code TEXT COLLATE NOCASE PRIMARY KEY, name TEXT COLLATE NOCASE);
    INSERT INTO people VALUES ('a', 'ada'), ('b', 'bob')`)
  const given = { target: { mode: 'upsert', key: ['code'] }, columns: { code: 'string', name: 'string' } } as const
  const rows = [
    ['A', 'Ada'],
    ['B', 'bob'],
    ['c', null],
  ]
  const { balance } = await load(file, { task: 'T1', ...given, rows })
  assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [1, 1, 1])
  assert.deepEqual(await file.query('SELECT code, name FROM people ORDER BY code'), [
    ['a', 'Ada'],
    ['b', 'bob'],
    ['c', null],
  ])
  const twice = [
    ['d', '1'],
    ['D', '2'],
  ]
  await assert.rejects(load(file, { task: 'T2', ...given, rows: twice }), /Two rows .* same key: code/)
})

test('rows that a column marks with their task are marked in every mode', async () => {
  await using file = await databaseFile('SQLite')
  await file.query('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, _rowmill_task TEXT)')
  await load(file, { task: 'T1', target: { mode: 'upsert', key: ['id'] }, columns: people, rows: [['1', 'Ada']] })
  assert.deepEqual(await file.query('SELECT * FROM people'), [['1', 'Ada', 'T1']])
  await load(file, { task: 'T2', target: { mode: 'replace' }, columns: people, rows: [['2', 'Bob']] })
  assert.deepEqual(await file.query('SELECT * FROM people'), [['2', 'Bob', 'T2']])
})

test('the journal mode stays as it is', async () => {
  await using file = await databaseFile('SQLite')
  await file.query('PRAGMA journal_mode = wal')
  await load(file, { task: 'T1', columns: people, rows: [['1', 'Ada']] })
  assert.deepEqual(await file.query('PRAGMA journal_mode'), [['wal']])
})

test('a reader in the way of a commit is waited for, and nothing is left when that takes too long', async () => {
  await using file = await databaseFile('SQLite')
  await load(file, { task: 'T0', columns: people, rows: [['1', 'Ada']] })
  await using delivery = await file.sink({ patienceMs: 200 }).begin({ task: 'T1', output: 'rows' }, 1, targetOf())
  await delivery.write(await produce(file, { columns: people, rows: [['2', 'Bob']], there: ['id', 'name'] }), writing)
  {
    using db = new DatabaseSync(file.path)
    const rows = db.prepare('SELECT * FROM people').iterate()
    rows.next()
    await assert.rejects(delivery.commit(), { code: 'unavailable', message: /in use by/ })
  }
  await delivery.commit()
  assert.equal((await file.query('SELECT * FROM people')).length, 2)
})

test('a view, a schema, or a file that is none of SQLite’s is refused', async () => {
  await using file = await databaseFile('SQLite')
  await file.query('CREATE VIEW people AS SELECT 1 AS id')
  await assert.rejects(file.sink().check(targetOf()), { code: 'unprocessable', message: /people is no table/ })
  await assert.rejects(file.sink().check(targetOf({ table: 'other.people' })), { code: 'unprocessable' })
  await writeFile(file.path, 'id,name\n'.repeat(1000))
  for (const ask of [
    () => file.sink().check(targetOf()),
    () => file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf()),
  ]) {
    await assert.rejects(ask, { code: 'unprocessable', message: /no SQLite database/ })
  }
})
