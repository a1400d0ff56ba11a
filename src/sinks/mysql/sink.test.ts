import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableContract } from '../../../test/contracts/tables.ts'
import { idOf, type Load, load, openMysql, produce, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { missing } from '../../../test/servers.ts'
import { AppError } from '../../errors.ts'
import type { TableSink } from '../../ports.ts'
import { mysqlSink } from './sink.ts'
import { keptTable } from '../tables.ts'

const skip = missing('mariadb')

tableContract({ name: 'MariaDB', skip, open: openMysql })

const columns = { id: 'integer', name: 'string' } as const
const ada: Load = { task: 'ADA', columns, rows: [['1', 'Ada']] }
const upsert = { mode: 'upsert', key: ['id'] } as const

const isRequired = (type: string) => /PRIMARY|NOT NULL/.test(type)

/** What a load is refused with. */
async function refusal(sink: TableSink, one: Load): Promise<AppError> {
  try {
    await load(sink, one)
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'nothing is refused' })
}

// --------------------------------------------------------------------------------------------- what is refused

for (const [what, type, good, bad, told] of [
  ['is in the table already', 'int PRIMARY KEY', '7', '7', /Duplicate entry '7' for key 'PRIMARY'/],
  ['is too great', 'tinyint', '7', '300', /Out of range value for column 'id' at row 2/],
  ['is too long', 'varchar(2)', '7', 'abc', /Data truncated for column 'id' at row 2/],
  ['has too many decimals', 'decimal(4,1)', '7.0', '1.25', /Data truncated for column 'id' at row 2/],
  ['is missing where it must be', 'int NOT NULL', '7', null, /NULL supplied to NOT NULL column 'id' at row 2/],
  ['is no label of an enumeration', "enum('7', 'b')", '7', 'c', /Data truncated for column 'id' at row 2/],
  ['has a letter that the charset lacks', 'varchar(2) CHARSET latin1', '7', '日', /Incorrect string value.* at row 2/],
  ['breaks a check', 'int CHECK (id < 9)', '7', '10', /CONSTRAINT .* failed/],
  [
    'would lose a fraction',
    'datetime',
    '2024-02-29 10:00:00',
    '2024-02-29 10:00:00.5',
    /id keeps 0 digits of a fraction/,
  ],
  ['would lose some of its fraction', 'time(3)', '10:00:00.123', '10:00:00.0005', /id keeps 3 digits of a fraction/],
  ['would lose a space', 'char(4)', 'a b', 'ab ', /id keeps no spaces at the end, so “ab ” would become another value/],
  ['would be filled up', 'binary(3)', 'abc', 'ab', /id fills up what has less than 3 bytes, so “ab”/],
  ['would get a century', 'year', '1970', '70', /id takes years of four digits, so “70”/],
  ['would be put in order', "set('a','it''s','c')", "a,it's", "it's,a", /id takes its own labels, in their order/],
  ['would be taken for a number of labels', "set('a','b')", '', '3', /id takes its own labels.* so “3”/],
  ['would change its case', "set('a','B') CHARSET latin1", 'B', 'b', /id takes its own labels.* so “b”/],
  ['is named twice', "set('a','b')", 'a,b', 'a,a', /id takes its own labels.* so “a,a”/],
  ['would be taken for its bytes', 'bit(8)', '65', 'A', /id takes whole numbers, so “A”/],
  ['has more bits', 'bit(7)', '65', '128', /too long for column 'id'|Out of range value for column 'id'/],
] as const) {
  test(`MySQL: nothing is appended when a value ${what}`, { skip }, async () => {
    await using database = await openMysql()
    await database.run(`CREATE TABLE people (id ${type})`)
    const one: Load = { task: 'A', columns: { id: 'string' }, rows: [[good], [bad]] }
    const { code, message } = await refusal(database.sink, one)
    assert.equal(code, 'unprocessable')
    assert.match(message, told)
    assert.deepEqual(await database.rows('SELECT * FROM people'), [])
    await load(database.sink, { ...one, attempt: 2, rows: [[good], [null]].slice(0, isRequired(type) ? 1 : 2) })
    const value = type.startsWith('bit') ? 'CAST(id AS UNSIGNED)' : 'id'
    assert.deepEqual(await database.rows(`SELECT ${value} FROM people WHERE id IS NOT NULL`), [[good]])
  })
}

test('MySQL: what is no table with transactions is refused', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int, name text) ENGINE = MyISAM')
  await database.run('CREATE VIEW shown AS SELECT * FROM people')
  const { code, message } = await refusal(database.sink, ada)
  assert.equal(code, 'unprocessable')
  assert.match(message, /MyISAM, which has no transactions/)
  await assert.rejects(database.sink.check(targetOf({ target: { table: 'shown' } })), { code: 'unprocessable' })
})

test('MySQL: a table is not replaced that others depend on', { skip }, async () => {
  for (const [statement, told] of [
    [
      'CREATE TABLE other (person int, CONSTRAINT whose FOREIGN KEY (person) REFERENCES people (id))',
      /foreign key whose/,
    ],
    ['CREATE TRIGGER watcher BEFORE INSERT ON people FOR EACH ROW SET NEW.id = 1', /trigger watcher/],
    ['ALTER TABLE people ADD SYSTEM VERSIONING', /the history of its rows/],
  ] as const) {
    await using database = await openMysql()
    await database.run('CREATE TABLE people (id int PRIMARY KEY, name text)')
    await database.run(statement)
    const { code, message } = await refusal(database.sink, { ...ada, target: { mode: 'replace' } })
    assert.equal(code, 'conflict')
    assert.match(message, told)
  }
})

test('MySQL: an upsert is refused that would change a row of another key', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9) UNIQUE)')
  await load(database.sink, ada)
  const { code, message } = await refusal(database.sink, { ...ada, task: 'B', target: upsert, rows: [['2', 'Ada']] })
  assert.equal(code, 'unprocessable')
  assert.match(message, /Duplicate entry 'Ada' for key 'name'/)
  assert.deepEqual(await database.rows('SELECT * FROM people'), [['1', 'Ada']])
})

// ------------------------------------------------------------------------------------------------ upsert, replace

test('MySQL: keys of a table that is made differ by case and by a space at the end', { skip }, async () => {
  await using database = await openMysql()
  const one: Load = {
    ...ada,
    target: { mode: 'upsert', key: ['name'] },
    rows: [
      ['1', 'a'],
      ['2', 'A'],
      ['3', 'a '],
      ['4', '\u{1f600}'],
    ],
  }
  assert.equal((await load(database.sink, one)).balance.inserted, 4)
  const again = await load(database.sink, { ...one, task: 'B', rows: [['5', 'a ']] })
  assert.equal(again.balance.updated, 1)
  assert.deepEqual(await database.rows('SELECT id FROM people ORDER BY id'), [['1'], ['2'], ['4'], ['5']])
})

test('MySQL: a change of case is a change, where the collation sees none', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9)) COLLATE utf8mb4_general_ci')
  await load(database.sink, ada)
  const { balance } = await load(database.sink, { ...ada, task: 'B', target: upsert, rows: [['1', 'ada ']] })
  assert.deepEqual([balance.updated, balance.unchanged], [1, 0])
  assert.deepEqual(await database.rows('SELECT name FROM people'), [['ada ']])
})

test('MySQL: a key twice, as the table compares, is refused', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int, name varchar(9) PRIMARY KEY) COLLATE utf8mb4_general_ci')
  const rows = [
    ['1', 'a'],
    ['2', 'A'],
  ]
  const { message } = await refusal(database.sink, { ...ada, target: { mode: 'upsert', key: ['name'] }, rows })
  assert.match(message, /Duplicate entry 'A'/)
})

test('MySQL: upserts at the same time count every row once', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9))')
  const rows = Array.from({ length: 20 }, (_, id) => [String(id), 'x'])
  const results = await Promise.allSettled(
    ['A', 'B', 'C', 'D'].map((task) => load(database.sink, { ...ada, task, target: upsert, rows })),
  )
  const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.balance] : []))
  for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'unavailable')
  assert.equal(
    done.reduce((sum, { inserted }) => sum + inserted, 0),
    20,
  )
  assert.equal(
    done.reduce((sum, { unchanged }) => sum + unchanged, 0),
    20 * (done.length - 1),
  )
})

test('MySQL: rows of an upsert carry their task where the table asks for it', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, ada)
  await database.run('ALTER TABLE people ADD PRIMARY KEY (id)')
  const rows = [
    ['1', 'Eve'],
    ['2', 'Bob'],
  ]
  await load(database.sink, { ...ada, task: 'B', target: upsert, rows })
  assert.deepEqual(await database.rows('SELECT id, name, _rowmill_task FROM people ORDER BY id'), [
    ['1', 'Eve', 'ADA'],
    ['2', 'Bob', 'B'],
  ])
})

test('MySQL: a table that takes the place of another has its indexes, and one previous table is kept', {
  skip,
}, async () => {
  await using database = await openMysql()
  await database.run(
    `CREATE TABLE people (id int PRIMARY KEY AUTO_INCREMENT, name varchar(9) DEFAULT 'x', INDEX (name))`,
  )
  await database.run('CREATE VIEW names AS SELECT name FROM people')
  for (const task of ['A', 'B', 'C']) {
    await load(database.sink, { ...ada, task, target: { mode: 'replace' }, rows: [['0', task]] })
  }
  const [[, sql = ''] = []] = await database.rows('SHOW CREATE TABLE people')
  assert.match(sql ?? '', /DEFAULT 'x'[^]*PRIMARY KEY[^]*KEY "name"/)
  assert.deepEqual(await database.rows('SELECT * FROM names'), [['C']])
  assert.deepEqual(await database.rows('SELECT id FROM people'), [['0']])
  const kept = keptTable(idOf({ task: 'C' }))
  assert.deepEqual(await database.rows("SHOW TABLES LIKE '%kept%'"), [[kept]])
  assert.deepEqual(await database.rows(`SELECT name FROM "${kept}"`), [['B']])
})

test('MySQL: a table of another database is loaded there', { skip }, async () => {
  await using database = await openMysql()
  await using other = await openMysql()
  const schema = new URL(other.url).pathname.slice(1)
  for (const task of ['A', 'B']) {
    await load(database.sink, { ...ada, task, target: { table: `${schema}.people`, mode: 'replace' } })
  }
  assert.deepEqual(await other.rows('SELECT * FROM people'), [['1', 'Ada']])
  assert.deepEqual(await database.rows('SHOW TABLES'), [['_rowmill_loads']])
})

test('MySQL: of two tasks that make a table at once, the second has to try again', { skip }, async () => {
  await using database = await openMysql()
  const second: Load = { ...ada, task: 'B', rows: [['2', 'Bob']] }
  {
    await using produced = await produce(database.sink, second)
    await using delivery = await database.sink.begin(idOf(second), 1, targetOf(second))
    await delivery.write(produced, writing)
    await load(database.sink, ada)
    await assert.rejects(delivery.commit(), { code: 'unavailable' })
  }
  await load(database.sink, { ...second, attempt: 2 })
  assert.equal((await database.rows('SELECT * FROM people')).length, 2)
})

test('MySQL: names that look like places for values are names', { skip }, async () => {
  await using database = await openMysql()
  const names = ['?', '??', ':id', '@v0', 'a\\', '%s', '/*', '--', '$&']
  const one: Load = { ...ada, columns: Object.fromEntries(names.map((name) => [name, 'string'])), rows: [names] }
  for (const table of ['?', 'a\\?', '`']) {
    const target = { table, mode: 'upsert', key: ['?'] } as const
    const rows = [names.map((name) => name.replaceAll('\\', '/'))]
    await load(database.sink, { ...one, task: `A${table}`, target, rows })
    const again = await load(database.sink, { ...one, task: `B${table}`, target, rows })
    assert.equal(again.balance.unchanged, 1)
    await load(database.sink, { ...one, task: `C${table}`, target: { table, mode: 'replace' }, rows })
  }
})

test('MySQL: names of outputs that are cut stay different', () => {
  const ids = ['a', 'b'].map((end) => ({ task: '01J00000000000000000000001', output: `${'rows_'.repeat(9)}${end}` }))
  const names = ids.map(keptTable)
  assert.equal(new Set(names).size, 2)
  for (const name of names) assert.ok(name.length < 64)
})

// ------------------------------------------------------------------------------------------------------ the server

test('MySQL: says what is wrong with a URL, and nothing of what is in it', { skip }, async () => {
  await using database = await openMysql()
  for (const [code, told, change] of [
    ['unprocessable', /correct user and password/, (url: URL) => (url.password = 's3cret')],
    [
      'unprocessable',
      /there is no such database|the user may not do this/,
      (url: URL) => (url.pathname = 'app_nowhere'),
    ],
    ['unprocessable', /names no database/, (url: URL) => (url.pathname = '')],
    ['unavailable', /cannot be reached [(]ECONNREFUSED[)]/, (url: URL) => (url.port = '1')],
  ] as const) {
    const url = new URL(database.url)
    change(url)
    await assert.rejects(mysqlSink('db', url.href).check(targetOf({})), (error) => {
      assert.ok(error instanceof AppError)
      assert.equal(error.code, code)
      assert.match(error.message, told)
      assert.doesNotMatch(
        JSON.stringify([error.message, error.details]),
        new RegExp(`s3cret|${url.password}|127.0.0.1`),
      )
      return true
    })
  }
})

test('MySQL: says which setting lets no rows in', { skip }, async () => {
  await using database = await openMysql()
  const sink = mysqlSink('db', `${database.url}?flags=-LOCAL_FILES`)
  const { code, message } = await refusal(sink, ada)
  assert.equal(code, 'unprocessable')
  assert.match(message, /local_infile = ON/)
})

test('MySQL: a delivery that its server ends can be tried again', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, ada)
  await using produced = await produce(database.sink, ada)
  const id = idOf({ task: 'B' })
  await using delivery = await database.sink.begin(id, 1, targetOf({}))
  await delivery.write(produced, writing)
  const schema = new URL(database.url).pathname.slice(1)
  const sessions = await database.rows(
    `SELECT id FROM information_schema.processlist WHERE db = '${schema}' AND id <> CONNECTION_ID()`,
  )
  for (const [session] of sessions) await database.run(`KILL ${session}`)
  await assert.rejects(delivery.commit(), { code: 'unavailable' })
  await load(database.sink, { ...ada, task: 'B', attempt: 2 })
  assert.equal((await database.rows('SELECT * FROM people')).length, 2)
})
