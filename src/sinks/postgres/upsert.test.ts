import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idOf, type Load, load, produce, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { openPostgres, type PostgresDatabase, undo } from '../../../test/postgres-fixture.ts'
import { missing, query } from '../../../test/servers.ts'
import type { OutputBalance } from '../../balances.ts'

const skip = missing('postgres')
const upsert = { mode: 'upsert', key: ['id'] } as const

/** Rehearses and loads; both have to say the same. */
async function counted({ sink }: PostgresDatabase, one: Load): Promise<OutputBalance> {
  await using produced = await produce(sink, one)
  const rehearsed = await sink.rehearse(targetOf(one), produced, writing.signal)
  const { balance } = await load(sink, one)
  assert.deepEqual(rehearsed, balance)
  return balance
}

/** Columns, the rows that are there, those that come, and how many of them change one. */
const kinds = [
  ['json, for which there is no equality', 'json', ['{"a": 1}', '{"a":1}', '{}'], ['{"a": 1}', '{"a": 1}', '{}'], 1],
  ['text of which case is all the same', 'text COLLATE blind', ['a', 'b', 'c'], ['A', 'b', 'c'], 1],
  ['text with blanks at its end', 'text', ['a', 'b', 'c'], ['a ', 'b', 'c'], 1],
  ['numbers of any scale', 'numeric', ['1.0', '2', '3'], ['1.00', '2', '3'], 1],
  ['numbers of one scale', 'numeric(5,2)', ['1.0', '2', '3'], ['1.00', '2', '3'], 0],
  ['intervals', 'interval', ['1 day', '2', '3'], ['24:00', '2', '3'], 1],
  ['points', 'point', ['(1,2)', '(3,4)', '(5,6)'], ['(1,2)', '(3,5)', '(5,6)'], 1],
  ['zeros of either sign', 'float8', ['0', '1', '2'], ['-0', '1', '2'], 1],
  ['lists', 'text[]', ['{a,b}', '{c}', '{}'], ['{a,b}', '{C}', '{}'], 1],
  ['labels', 'mood', ['sad', 'glad', 'sad'], ['glad', 'glad', 'sad'], 1],
  ['numbers of a domain of a domain', 'tiny', ['1', '2', '3'], ['1', '2', '4'], 1],
  ['documents', 'xml', ['<a/>', '<b/>', '<c/>'], ['<a/>', '<b/>', '<d/>'], 1],
] as const

suite('an upsert of PostgreSQL', { skip }, () => {
  for (const [what, type, before, after, changed] of kinds) {
    test(`tells what is new in ${what}, and is undone`, async () => {
      await using database = await openPostgres()
      await database.run(`CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TYPE mood AS ENUM ('sad', 'glad');
        CREATE DOMAIN small AS numeric(3); CREATE DOMAIN tiny AS small CHECK (VALUE < 9);
        CREATE TABLE people (id int PRIMARY KEY, value ${type})`)
      for (const [i, value] of before.entries()) await database.run(`INSERT INTO people VALUES (${i}, '${value}')`)
      const all = () => database.rows('SELECT id, value::text FROM people ORDER BY id')
      const was = await all()
      const rows = [...after.map((value, i) => [String(i), value]), ['9', after[0]]]
      const one: Load = { task: 'A', target: upsert, columns: { id: 'integer', value: 'string' }, rows }
      const { inserted, updated, unchanged } = await counted(database, one)
      assert.deepEqual([inserted, updated, unchanged], [1, changed, 3 - changed])
      assert.deepEqual(await undo(database.sink, one), { removed: 1, restored: changed, left: 0, leftKeys: [] })
      assert.deepEqual(await all(), was)
      const plain = { ...one, target: { ...upsert, undoable: false } }
      assert.equal((await counted(database, { ...plain, task: 'B' })).updated, changed)
      assert.equal((await counted(database, { ...plain, task: 'C' })).unchanged, 4)
    })
  }

  test('goes into the partitions of a table, from one to another, and back', async () => {
    await using database = await openPostgres()
    await database.run('CREATE TABLE people (id int, part int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id)')
    await database.run('CREATE TABLE one PARTITION OF people FOR VALUES FROM (0) TO (10)')
    await database.run('CREATE TABLE two PARTITION OF people FOR VALUES FROM (10) TO (20)')
    await database.run("INSERT INTO people VALUES (1, 1, 'Ada'), (11, 2, 'Bob')")
    const one: Load = {
      task: 'A',
      target: upsert,
      columns: { id: 'integer', part: 'integer', name: 'string' },
      rows: [
        ['1', '1', 'ADA'],
        ['11', '2', 'Bob'],
        ['12', '2', 'Cid'],
      ],
    }
    const { inserted, updated, unchanged } = await counted(database, one)
    assert.deepEqual([inserted, updated, unchanged], [1, 1, 1])
    assert.deepEqual(await undo(database.sink, one), { removed: 1, restored: 1, left: 0, leftKeys: [] })
    assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), [
      ['1', 'Ada'],
      ['11', 'Bob'],
    ])
  })

  test('leaves rows alone of tables that inherit from it', async () => {
    await using database = await openPostgres()
    await database.run('CREATE TABLE people (id int PRIMARY KEY, name text)')
    await database.run('CREATE TABLE child () INHERITS (people)')
    await database.run("INSERT INTO child VALUES (1, 'theirs')")
    const one: Load = { task: 'A', target: upsert, columns: { id: 'integer', name: 'string' }, rows: [['1', 'ours']] }
    assert.equal((await counted(database, one)).inserted, 1)
    assert.deepEqual(await database.rows('SELECT name FROM child'), [['theirs']])
    assert.equal((await undo(database.sink, one)).removed, 1)
    assert.deepEqual(await database.rows('SELECT name FROM people'), [['theirs']])
  })

  test('keeps rows with what the database makes of them, and sees by it who has changed them since', async () => {
    await using database = await openPostgres()
    await database.run(`CREATE TABLE people (id int PRIMARY KEY, name text, since int DEFAULT 7,
      size int GENERATED ALWAYS AS (length(name)) STORED, n int GENERATED ALWAYS AS IDENTITY, told int)`)
    await database.run(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN NEW.told := coalesce(NEW.told, 0) + 1; RETURN NEW; END $$`)
    await database.run("INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cid')")
    await database.run('CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION tell()')
    const rows = [
      ['1', 'Adam'],
      ['2', 'Bobby'],
      ['3', 'Cid'],
      ['4', 'Dan'],
      ['5', 'Eve'],
    ]
    const one: Load = { task: 'A', target: upsert, columns: { id: 'integer', name: 'string' }, rows }
    await counted(database, one)
    await database.run('ALTER TABLE people DISABLE TRIGGER tell')
    await database.run('UPDATE people SET since = 8 WHERE id IN (2, 5)')
    assert.deepEqual(await undo(database.sink, one), {
      removed: 1,
      restored: 1,
      left: 2,
      leftKeys: [{ id: '2' }, { id: '5' }],
    })
    assert.deepEqual(await database.rows('SELECT id, name, since, size, told FROM people ORDER BY id'), [
      ['1', 'Ada', '7', '3', null],
      ['2', 'Bobby', '8', '5', '1'],
      ['3', 'Cid', '7', '3', null],
      ['5', 'Eve', '8', '3', '1'],
    ])
    await using again = await database.sink.undo(idOf({ task: 'AX' }), 2, { ...idOf(one), target: targetOf(one) })
    assert.deepEqual(again.undone?.leftKeys, [{ id: '2' }, { id: '5' }])
  })

  test('is taken back where a value may be there only once', async () => {
    await using database = await openPostgres()
    await database.run('CREATE TABLE people (id int PRIMARY KEY, name text UNIQUE)')
    await database.run("INSERT INTO people VALUES (1, 'Ada')")
    const rows = [
      ['2', 'Ada'],
      ['1', 'Bob'],
    ]
    const one: Load = { task: 'A', target: upsert, columns: { id: 'integer', name: 'string' }, rows }
    await counted(database, one)
    assert.deepEqual(await undo(database.sink, one), { removed: 1, restored: 1, left: 0, leftKeys: [] })
  })

  test('refuses a key twice or none, saying which', async () => {
    await using database = await openPostgres()
    await database.run('CREATE TABLE people (id int, name text, UNIQUE (id, name))')
    const one: Load = {
      task: 'A',
      target: { mode: 'upsert', key: ['id', 'name'] },
      columns: { id: 'integer', name: 'string' },
      rows: [
        ['1', 'Ada'],
        ['1', 'Ada'],
      ],
    }
    await assert.rejects(load(database.sink, one), { code: 'unprocessable', message: /same key: id 1, name Ada/ })
    const none = { ...one, attempt: 2, rows: [['1', null]] }
    await assert.rejects(load(database.sink, none), { code: 'unprocessable', message: /nothing in “name”/ })
  })

  test('is tried again when somebody puts in the same row meanwhile', async () => {
    await using database = await openPostgres()
    await database.run('CREATE TABLE people (id int PRIMARY KEY, name text)')
    const one: Load = { task: 'A', target: upsert, columns: { id: 'integer', name: 'string' }, rows: [['1', 'ours']] }
    await database.run("BEGIN; INSERT INTO people VALUES (1, 'theirs')")
    const late = assert.rejects(load(database.sink, one), { code: 'unavailable', message: /Try again/ })
    await waitingSession(database)
    await database.run('COMMIT')
    await late
    assert.equal((await load(database.sink, { ...one, attempt: 2 })).balance.updated, 1)
  })
})

/** Resolves when a session of Rowmill's waits for another. */
async function waitingSession({ url }: PostgresDatabase): Promise<void> {
  const sql = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND application_name LIKE 'rowmill %'`
  let found = ''
  while (found === '') found = await query(url, sql)
}
