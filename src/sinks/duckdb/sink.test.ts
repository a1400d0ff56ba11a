import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { tableContract } from '../../../test/contracts/tables.ts'
import { databaseFile, load, targetOf } from '../../../test/file-fixture.ts'
import { filesIn } from '../../../test/harness.ts'

const people = { id: 'integer', name: 'string' } as const

tableContract({
  name: 'DuckDB',
  skip: false,
  open: async () => {
    const file = await databaseFile('DuckDB')
    return { sink: file.sink(), rows: file.query, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
  },
})

test('a table tells what it takes', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query(`CREATE TABLE people (a UTINYINT NOT NULL, b UBIGINT, c HUGEINT, d UUID, e ENUM ('x', 'it''s'), f TIMESTAMP,
    g TIMESTAMPTZ, h INTEGER[], i DECIMAL(9,3) DEFAULT 1 NOT NULL, j VARCHAR(5), k BIGINT GENERATED ALWAYS AS (a * 2))`)
  const columns = await file.sink().check(targetOf())
  assert.deepEqual(
    columns?.map(({ name, field, absent, isComputed }) => [name, field?.type, absent, isComputed]),
    [
      ['a', 'integer', 'refused', false],
      ['b', 'decimal(20,0)', 'null', false],
      ['c', 'decimal(38,0)', 'null', false],
      ['d', 'string', 'null', false],
      ['e', 'string', 'null', false],
      ['f', 'datetime', 'null', false],
      ['g', 'datetime', 'null', false],
      ['h', undefined, 'null', false],
      ['i', 'decimal(9,3)', 'filled', false],
      ['j', 'string', 'null', false],
      ['k', 'integer', 'filled', true],
    ],
  )
  assert.deepEqual(columns?.[0]?.field?.constraints, { required: true, minimum: 0, maximum: 255 })
  assert.deepEqual(columns?.[4]?.field?.constraints.enum, ['x', "it's"])
  assert.deepEqual([columns?.[5]?.field?.timezone, columns?.[6]?.field?.timezone], ['UTC', undefined])
})

test('a moment is the same moment, whatever zone one looks from', async () => {
  await using file = await databaseFile('DuckDB')
  const columns = { moment: 'datetime', clock: 'time' } as const
  await load(file, { task: 'T1', columns, rows: [['2024-03-31 01:30:00.25', '10:00:00']] })
  await file.query(
    `CREATE TABLE seen AS SELECT (moment AT TIME ZONE 'Asia/Kolkata')::VARCHAR AS moment, clock FROM people`,
  )
  assert.deepEqual(await file.query('FROM seen'), [['2024-03-31 07:00:00.25', '10:00:00']])
})

test('a moment finer than its column is refused, in an upsert as well', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query('CREATE TABLE people (s TIMESTAMP_S, ms TIMESTAMP_MS PRIMARY KEY, us TIMESTAMP)')
  const given = { columns: { s: 'datetime', ms: 'datetime', us: 'datetime' } } as const
  const fine = '2024-01-05 10:00:00.123456'
  const row = ['2024-01-05 10:00:00', '2024-01-05 10:00:00.123', fine]
  await load(file, { task: 'T1', ...given, rows: [row, [null, '2024-01-05 10:00:00', null]] })
  for (const [column, rounded] of [
    [fine, row[1] ?? null, fine],
    [null, fine, fine],
  ].entries()) {
    for (const target of [{ mode: 'append' }, { mode: 'upsert', key: ['ms'] }] as const) {
      const loading = load(file, { task: `T${column}_${target.mode}`, target, ...given, rows: [rounded] })
      await assert.rejects(loading, { code: 'unprocessable', message: /would round “2024.*TIMESTAMP_M?S/ })
    }
  }
  assert.equal((await file.query('FROM people')).length, 2)
})

test('a key is told apart by its bytes, whatever its collation; and names beyond ASCII by their case', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query(`CREATE TABLE people (code VARCHAR COLLATE NOCASE PRIMARY KEY, name VARCHAR COLLATE NOCASE);
    INSERT INTO people VALUES ('a', 'ada'), ('A', 'Ada'); CREATE TABLE "ä" (i INTEGER); CREATE TABLE "Ä" (j INTEGER)`)
  const given = { target: { mode: 'upsert', key: ['code'] }, columns: { code: 'string', name: 'string' } } as const
  const rows = [
    ['a', 'ADA'],
    ['A', 'Ada'],
  ]
  const { balance } = await load(file, { task: 'T1', ...given, rows })
  assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [0, 1, 1])
  for (const [table, column] of [
    ['ä', 'i'],
    ['Ä', 'j'],
  ] as const) {
    assert.equal((await file.sink().check(targetOf({ table })))?.[0]?.name, column)
  }
})

test('a new table in the place of an old one is like it, and the old one is kept until the next', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query(`CREATE SEQUENCE ids START 41;
    CREATE TABLE people (id BIGINT PRIMARY KEY DEFAULT nextval('ids'), name VARCHAR NOT NULL CHECK (name <> ''),
      twice BIGINT GENERATED ALWAYS AS (id * 2));
    CREATE UNIQUE INDEX "by name" ON people (lower(name));
    CREATE VIEW names AS SELECT name, twice FROM people`)
  for (const [n, names] of [['Ada'], ['Bob', 'Cid']].entries()) {
    const rows = names.map((name) => [name])
    await load(file, { task: `T${n}`, target: { mode: 'replace' }, columns: { name: 'string' }, rows })
  }
  assert.deepEqual(await file.query('FROM names ORDER BY name'), [
    ['Bob', '84'],
    ['Cid', '86'],
  ])
  assert.deepEqual(await file.query('SELECT name FROM "_rowmill_kept_T1_rows"'), [['Ada']])
  assert.equal((await file.query('FROM duckdb_tables()')).length, 3)
  for (const [task, rows, what] of [
    ['T2', [['a'], ['A']], /duplicate key/i],
    ['T3', [['']], /CHECK constraint/],
    ['T4', [[null]], /NOT NULL constraint/],
  ] as const) {
    const loading = load(file, { task, target: { mode: 'replace' }, columns: { name: 'string' }, rows })
    await assert.rejects(loading, { code: 'unprocessable', message: what })
  }
  assert.equal((await file.query('FROM people')).length, 2)
})

test('a table that foreign keys hold on to is not replaced', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query(`CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR);
    CREATE TABLE pets (owner BIGINT REFERENCES people (id))`)
  const replacing = load(file, { task: 'T1', target: { mode: 'replace' }, columns: people, rows: [['1', 'Ada']] })
  await assert.rejects(replacing, { code: 'conflict', message: /the foreign key pets_owner/ })
})

test('an upsert changes columns that have an index, tells NULL from a value, and minds the case', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query(`CREATE TABLE people (code INTEGER, name VARCHAR COLLATE NOCASE, n INTEGER UNIQUE);
    CREATE UNIQUE INDEX by_code ON people (code);
    CREATE INDEX by_name ON people (name);
    INSERT INTO people VALUES (1, 'ada', 1), (2, 'bob', 2), (3, NULL, NULL), (4, 'same', NULL)`)
  const columns = { code: 'integer', name: 'string', n: 'integer' } as const
  const rows = [
    ['1', 'Ada', '2'],
    ['2', 'bob', '1'],
    ['3', '', null],
    ['4', 'same', null],
    ['5', null, '5'],
  ]
  const given = { target: { mode: 'upsert', key: ['CODE'] }, columns } as const
  const { balance } = await load(file, { task: 'T1', ...given, rows })
  assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [1, 3, 1])
  assert.deepEqual(await file.query('FROM people ORDER BY code'), rows)
  const twice = [
    ['6', 'a', '6'],
    ['6', 'b', '7'],
  ]
  await assert.rejects(load(file, { task: 'T2', ...given, rows: twice }), /Two rows .* same key: code 6/)
})

test('rows that a column marks with their task are marked in every mode', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query('CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR, _rowmill_task VARCHAR)')
  await load(file, { task: 'T1', target: { mode: 'upsert', key: ['id'] }, columns: people, rows: [['1', 'Ada']] })
  assert.deepEqual(await file.query('FROM people'), [['1', 'Ada', 'T1']])
  await load(file, { task: 'T2', target: { mode: 'replace' }, columns: people, rows: [['2', 'Bob']] })
  assert.deepEqual(await file.query('FROM people'), [['2', 'Bob', 'T2']])
})

test('a table in a schema is found, and a schema that is not there is told', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query('CREATE SCHEMA sales; CREATE TABLE people (other BIGINT)')
  await load(file, { task: 'T1', target: { table: 'sales.people' }, columns: people, rows: [['1', 'Ada']] })
  await load(file, {
    task: 'T2',
    target: { table: 'Sales.People', mode: 'replace' },
    columns: people,
    rows: [['2', 'Bob']],
  })
  assert.deepEqual(await file.query('SELECT id FROM sales.people'), [['2']])
  const astray = load(file, { task: 'T3', target: { table: 'test.people' }, columns: people, rows: [] })
  await assert.rejects(astray, { code: 'unprocessable', message: /Schema with name test does not exist/ })
})

test('the file alone is whole', async () => {
  await using file = await databaseFile('DuckDB')
  await load(file, { task: 'T1', columns: people, rows: [['1', 'Ada']] })
  assert.deepEqual(await filesIn(file.folder.path), ['rows.parquet', 'test.db'])
})

test('a view, or a file that is none of DuckDB’s, is refused', async () => {
  await using file = await databaseFile('DuckDB')
  await file.query('CREATE VIEW people AS SELECT 1 AS id')
  await assert.rejects(file.sink().check(targetOf()), { code: 'unprocessable', message: /people is no table/ })
  const refused = { code: 'unprocessable', message: /no DuckDB database/ }
  await writeFile(file.path, 'id,name\n'.repeat(1000))
  await assert.rejects(file.sink().check(targetOf()), refused)
  await writeFile(file.path, '')
  await assert.rejects(file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf()), refused)
  new DatabaseSync(file.path).exec('CREATE TABLE people (id)')
  await assert.rejects(file.sink().check(targetOf()), refused)
})
