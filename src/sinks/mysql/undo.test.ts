import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  idOf,
  type Load,
  load,
  type MysqlDatabase,
  openMysql,
  produce,
  targetOf,
  writing,
} from '../../../test/mysql-fixture.ts'
import { missing } from '../../../test/servers.ts'
import type { Undone } from '../../balances.ts'
import { keptTable } from '../tables.ts'

const skip = missing('mariadb')

const columns = { id: 'integer', name: 'string' } as const
const upsert = { mode: 'upsert', key: ['id'] } as const
const replace = { mode: 'replace' } as const

const ada: Load = { task: 'ADA', columns, target: upsert, rows: [['1', 'Ada']] }
const eve: Load = {
  ...ada,
  task: 'EVE',
  rows: [
    ['1', 'Eve'],
    ['2', 'Bob'],
  ],
}

async function undo({ sink }: MysqlDatabase, one: Load, task = `UNDO ${one.task}`): Promise<Undone> {
  await using undoing = await sink.undo({ task, output: 'rows' }, 1, { ...idOf(one), target: targetOf(one) })
  await undoing.write(writing.signal)
  return await undoing.commit()
}

test('MySQL: an upsert is undone with what triggers, defaults and computed columns make of a row', {
  skip,
}, async () => {
  await using database = await openMysql()
  await database.run(
    `CREATE TABLE people (id int PRIMARY KEY, name varchar(9), size int AS (char_length(name)) STORED,
       rank int DEFAULT 7, shout varchar(9))`,
  )
  for (const event of ['INSERT', 'UPDATE']) {
    await database.run(
      `CREATE TRIGGER on_${event} BEFORE ${event} ON people FOR EACH ROW SET NEW.shout = upper(NEW.name)`,
    )
  }
  await load(database.sink, ada)
  await database.run('UPDATE people SET rank = 3')
  await load(database.sink, eve)
  assert.deepEqual(await database.rows('SELECT * FROM people ORDER BY id'), [
    ['1', 'Eve', '3', '3', 'EVE'],
    ['2', 'Bob', '3', '7', 'BOB'],
  ])
  assert.deepEqual(await undo(database, eve), { removed: 1, restored: 1, left: 0, leftKeys: [] })
  assert.deepEqual(await database.rows('SELECT * FROM people'), [['1', 'Ada', '3', '3', 'ADA']])
})

test('MySQL: of an upsert, only rows that it has changed are kept', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, { ...ada, rows: [...ada.rows, ['5', 'Same']] })
  await load(database.sink, { ...eve, rows: [...eve.rows, ['5', 'Same']] })
  const kept = await database.rows(`SELECT id, name, _rowmill_row FROM ${keptTable(idOf(eve))} ORDER BY id, name`)
  assert.deepEqual(kept, [
    ['1', 'Ada', 'before'],
    ['1', 'Eve', 'after'],
    ['2', 'Bob', 'after'],
  ])
})

test('MySQL: a row is left where but the case of a letter was changed since, or a value made NULL', {
  skip,
}, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9), note int) COLLATE utf8mb4_general_ci')
  await load(database.sink, { ...ada, columns: { ...columns, note: 'integer' }, rows: [['1', 'Ada', '1']] })
  const one: Load = {
    ...eve,
    columns: { ...columns, note: 'integer' },
    rows: [
      ['1', 'Eve', '2'],
      ['2', 'Bob', '2'],
      ['10', 'Cid', null],
    ],
  }
  await load(database.sink, one)
  await database.run("UPDATE people SET name = 'EVE' WHERE id = 1")
  await database.run('UPDATE people SET note = NULL WHERE id = 2')
  const undone = await undo(database, one)
  assert.deepEqual(undone, { removed: 1, restored: 0, left: 2, leftKeys: [{ id: '1' }, { id: '2' }] })
  assert.deepEqual(await database.rows('SELECT * FROM people ORDER BY id'), [
    ['1', 'EVE', '2'],
    ['2', 'Bob', null],
  ])
})

test('MySQL: keys that are left are told in their order, those of bytes in hexadecimal', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (k0 int, code varbinary(4), name text, PRIMARY KEY (k0, code))')
  const one: Load = {
    ...eve,
    columns: { k0: 'integer', code: 'string', name: 'string' },
    target: { mode: 'upsert', key: ['K0', 'code'] },
    rows: [
      ['10', 'b', 'x'],
      ['9', 'a', 'x'],
    ],
  }
  await load(database.sink, one)
  await database.run('DELETE FROM people')
  assert.deepEqual((await undo(database, one)).leftKeys, [
    { k0: '9', code: '61' },
    { k0: '10', code: '62' },
  ])
})

test('MySQL: a value of which there may be but one goes before it comes back', { skip }, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9) UNIQUE)')
  await load(database.sink, ada)
  await load(database.sink, {
    ...eve,
    rows: [
      ['1', 'Eve'],
      ['2', 'Ada'],
    ],
  })
  assert.deepEqual(await undo(database, eve), { removed: 1, restored: 1, left: 0, leftKeys: [] })
  assert.deepEqual(await database.rows('SELECT * FROM people'), [['1', 'Ada']])
})

test('MySQL: columns that an upsert has added stay, and are empty again', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, ada)
  const one: Load = { ...eve, columns: { ...columns, more: 'string' }, rows: [['1', 'Ada', 'x']] }
  await load(database.sink, one)
  assert.deepEqual(await undo(database, one), { removed: 0, restored: 1, left: 0, leftKeys: [] })
  assert.deepEqual(await database.rows('SELECT * FROM people'), [['1', 'Ada', null]])
})

test('MySQL: an upsert whose rows a trigger gives other keys cannot be undone, and keeps nothing', {
  skip,
}, async () => {
  await using database = await openMysql()
  await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9))')
  await database.run('CREATE TRIGGER shifts BEFORE INSERT ON people FOR EACH ROW SET NEW.id = NEW.id + 100')
  const { output } = await load(database.sink, eve)
  assert.equal('undoable' in output && output.undoable, false)
  assert.deepEqual(await database.rows("SHOW TABLES LIKE '\\_rowmill\\_kept%'"), [])
  await assert.rejects(undo(database, eve), { code: 'conflict' })
})

test('MySQL: a table that comes back has its indexes and defaults', { skip }, async () => {
  await using database = await openMysql()
  await database.run(
    "CREATE TABLE people (id int PRIMARY KEY AUTO_INCREMENT, name varchar(9) DEFAULT 'x', INDEX (name))",
  )
  const [[, made = ''] = []] = await database.rows('SHOW CREATE TABLE people')
  const one: Load = {
    ...eve,
    target: { ...replace, drift: 'add-columns' },
    columns: { ...columns, more: 'date' },
    rows: [],
  }
  await load(database.sink, one)
  await undo(database, one)
  const [[, back] = []] = await database.rows('SHOW CREATE TABLE people')
  assert.equal(back, made)
})

test('MySQL: says why a load cannot be undone', { skip }, async () => {
  const cases: readonly [one: Load, since: string, told: RegExp][] = [
    [{ ...eve, target: {} }, 'ALTER TABLE people DROP COLUMN _rowmill_task', /_rowmill_task is gone/],
    [{ ...eve, target: {} }, 'DROP TABLE people', /the table is gone/],
    [eve, `DROP TABLE ${keptTable(idOf(eve))}`, /what was kept for it is gone/],
    [eve, 'ALTER TABLE people DROP COLUMN name', /has other columns now/],
    [eve, "DELETE FROM _rowmill_loads WHERE task = 'EVE'", /does not know of the load/],
    [{ ...eve, target: replace }, `DROP TABLE ${keptTable(idOf(eve))}`, /what was kept for it is gone/],
    [
      { ...eve, target: replace },
      'CREATE TRIGGER watcher BEFORE INSERT ON people FOR EACH ROW SET NEW.id = 1',
      /trigger watcher would stay/,
    ],
  ]
  for (const [one, since, told] of cases) {
    await using database = await openMysql()
    const { mode } = targetOf(one)
    await load(database.sink, { ...ada, target: mode === 'upsert' ? upsert : {} })
    await load(database.sink, one)
    await database.run(since)
    await assert.rejects(undo(database, one), (error: Error) => {
      assert.match(error.message, told)
      assert.equal('code' in error && error.code, 'conflict')
      return true
    })
  }
})

test('MySQL: a replace is not undone when rows come between its undo’s look and its end', { skip }, async () => {
  await using database = await openMysql()
  const one: Load = { ...eve, target: replace }
  await load(database.sink, { ...ada, target: {} })
  await load(database.sink, one)
  await using undoing = await database.sink.undo({ task: 'UNDO', output: 'rows' }, 1, {
    ...idOf(one),
    target: targetOf(one),
  })
  await undoing.write(writing.signal)
  await load(database.sink, { ...ada, task: 'LATER', target: {}, rows: [['3', 'Cid']] })
  await assert.rejects(undoing.commit(), { code: 'conflict' })
  assert.equal((await database.rows('SELECT * FROM people')).length, 3)
})

test('MySQL: a ledger that somebody has written to drops no table but Rowmill’s own', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, { ...ada, target: {} })
  await database.run("UPDATE _rowmill_loads SET staging = 'people', ready_at = UTC_TIMESTAMP(6)")
  await load(database.sink, { ...eve, target: { table: 'other' } })
  assert.deepEqual(await database.rows('SELECT id FROM people'), [['1']])
})

test('MySQL: a key that is missing is told by its column', { skip }, async () => {
  await using database = await openMysql()
  for (const attempt of [1, 2]) {
    await assert.rejects(load(database.sink, { ...ada, task: `NONE ${attempt}`, rows: [[null, 'Nobody']] }), {
      code: 'unprocessable',
      message: /A row for the table people has nothing in “id”/,
    })
    if (attempt === 1) await load(database.sink, ada)
  }
})

test('MySQL: rows are counted as they come, where nobody knows how many there will be', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, ada)
  await using known = await produce(database.sink, eve)
  const produced = { ...known, rows: 700, isGuess: true }
  const balance = await database.sink.rehearse(targetOf(eve), produced, writing.signal)
  assert.deepEqual([balance.inserted, balance.updated, balance.produced], [1, 1, 2])
  await using delivery = await database.sink.begin(idOf(eve), 1, targetOf(eve))
  assert.deepEqual(await delivery.write(produced, writing), balance)
  assert.deepEqual((await delivery.commit()).balance, balance)
})

test('MySQL: a rehearsal waits for nobody, and nobody for it', { skip }, async () => {
  await using database = await openMysql()
  await load(database.sink, ada)
  const known = await database.rows('SHOW TABLES')
  await database.run('START TRANSACTION')
  await database.run("UPDATE people SET name = 'Bea'")
  const one = eve
  await using produced = await produce(database.sink, one)
  const balance = await database.sink.rehearse(targetOf(one), produced, writing.signal)
  await database.run('COMMIT')
  assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [1, 1, 0])
  assert.deepEqual(await database.rows('SHOW TABLES'), known)
})
