/** What the contract does not say of undo and rehearsal, for every database in a file. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Target } from '../../model.ts'
import type { Undone } from '../../balances.ts'
import type { Undoing } from '../../ports.ts'
import {
  type DatabaseFile,
  databaseFile,
  type Load,
  load,
  produce,
  targetOf,
  writing,
} from '../../../test/file-fixture.ts'
import { filesIn } from '../../../test/harness.ts'

const columns = { id: 'integer', name: 'string' } as const
const ada = { columns, rows: [['1', 'Ada']] }
const upsert = { mode: 'upsert', key: ['id'] } as const
const replace = { mode: 'replace' } as const

function begin(file: DatabaseFile, of: string, target: Partial<Target>, output = 'rows'): Promise<Undoing> {
  return file.sink().undo({ task: `undo_${of}`, output }, 1, { task: of, output: 'rows', target: targetOf(target) })
}

async function undo(file: DatabaseFile, of: string, target: Partial<Target>): Promise<Undone> {
  await using undoing = await begin(file, of, target)
  await undoing.write(writing.signal)
  return await undoing.commit()
}

for (const kind of ['SQLite', 'DuckDB'] as const) {
  test(`${kind}: what is gone cannot be undone, and that is said`, async () => {
    await using file = await databaseFile(kind)
    const conflict = (message: RegExp) => ({ code: 'conflict', message })
    await assert.rejects(begin(file, 'T1', {}), conflict(/the table is gone/))
    assert.deepEqual(await filesIn(file.folder.path), [])
    await load(file, { task: 'T1', target: { ...upsert, table: 'pets' }, ...ada })
    await assert.rejects(begin(file, 'T9', {}), conflict(/does not know of the load/))
    await file.query('DROP TABLE _rowmill_kept_T1_rows')
    await assert.rejects(begin(file, 'T1', { ...upsert, table: 'pets' }), conflict(/kept for it is gone/))
    await load(file, { task: 'T2', ...ada })
    await file.query('ALTER TABLE people DROP COLUMN _rowmill_task')
    await assert.rejects(begin(file, 'T2', {}), conflict(/column _rowmill_task is gone/))
    await file.query('DROP TABLE people')
    await assert.rejects(begin(file, 'T2', {}), conflict(/the table is gone/))
    await load(file, { task: 'T3', target: upsert, ...ada })
    await file.query('ALTER TABLE people DROP COLUMN name')
    await using undoing = await begin(file, 'T3', upsert)
    await assert.rejects(undoing.write(writing.signal), conflict(/has other columns now/))
  })

  test(`${kind}: the row before comes back whole, whichever of its columns the upsert named`, async () => {
    await using file = await databaseFile(kind)
    await file.query(`CREATE TABLE people (first VARCHAR, name VARCHAR, n INTEGER DEFAULT 7, twice INTEGER GENERATED ALWAYS AS (n * 2),
      PRIMARY KEY (name, first))`)
    await file.query(`INSERT INTO people (first, name, n) VALUES ('Ada', 'L', 1), ('Bob', 'M', NULL), ('Cid', 'N', 3)`)
    const before = await file.query('SELECT * FROM people ORDER BY first')
    const target = { mode: 'upsert', key: ['NAME', 'first'] } as const
    const given = { target, columns: { first: 'string', name: 'string', n: 'integer' } } as const
    const rows = [
      ['Ada', 'L', '10'],
      ['Bob', 'M', '20'],
      ['Cid', 'N', '3'],
      ['Dan', 'O', null],
      ['Eve', 'O', '5'],
    ]
    const { balance } = await load(file, { task: 'T1', ...given, rows })
    assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [2, 2, 1])
    await file.query(`UPDATE people SET n = n + 1 WHERE first IN ('Cid', 'Eve')`)
    const undone = await undo(file, 'T1', target)
    assert.deepEqual(undone, { removed: 1, restored: 2, left: 1, leftKeys: [{ name: 'O', first: 'Eve' }] })
    const after = await file.query('SELECT * FROM people ORDER BY first')
    assert.deepEqual(after.slice(0, 2), before.slice(0, 2))
    assert.deepEqual(after.slice(2), [
      ['Cid', 'N', '4', '8'],
      ['Eve', 'O', '6', '12'],
    ])
  })

  test(`${kind}: the undo of a replace brings back the indexes, and a later replace drops what it has put aside`, async () => {
    await using file = await databaseFile(kind)
    await file.query(`CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR DEFAULT 'x');
      CREATE UNIQUE INDEX by_name ON people (name); CREATE VIEW names AS SELECT name FROM people;
      INSERT INTO people VALUES (7, 'Grace')`)
    await load(file, { task: 'T1', target: replace, ...ada })
    assert.deepEqual(await undo(file, 'T1', replace), { removed: 1, restored: 1, left: 0, leftKeys: [] })
    assert.deepEqual(await file.query('SELECT * FROM names'), [['Grace']])
    const same = load(file, { task: 'T2', columns, rows: [['8', 'Grace']] })
    await assert.rejects(same, { code: 'unprocessable', message: /refuses a row/ })
    await load(file, { task: 'T3', target: { ...replace, table: 'PEOPLE', undoable: false }, ...ada })
    assert.deepEqual(await file.query('SELECT kept FROM _rowmill_loads WHERE kept IS NOT NULL'), [])
    const tables = kind === 'DuckDB' ? 'duckdb_tables()' : 'pragma_table_list'
    const column = kind === 'DuckDB' ? 'table_name' : 'name'
    assert.deepEqual(await file.query(`SELECT ${column} FROM ${tables} WHERE ${column} LIKE '%kept%'`), [])
  })

  test(`${kind}: outputs of one task are taken back together`, async () => {
    await using file = await databaseFile(kind)
    const targets = { people: targetOf(), pets: targetOf({ table: 'pets' }) }
    for (const [output, target] of Object.entries(targets)) {
      await load(file, { task: output, target, ...ada })
    }
    const sink = file.sink()
    const take = (output: 'people' | 'pets', attempt: number) =>
      sink.undo({ task: 'U', output }, attempt, { task: output, output: 'rows', target: targets[output] })
    {
      await using people = await take('people', 1)
      await using pets = await take('pets', 1)
      await people.write(writing.signal)
      await pets.write(writing.signal)
    }
    assert.equal((await file.query('SELECT * FROM people, pets')).length, 1)
    await using people = await take('people', 2)
    await using pets = await take('pets', 2)
    for (const one of [people, pets]) await one.write(writing.signal)
    for (const one of [people, pets]) assert.equal((await one.commit()).removed, 1)
    for (const one of [people, pets]) await one[Symbol.asyncDispose]()
    assert.deepEqual(await file.query('SELECT * FROM people UNION ALL SELECT * FROM pets'), [])
  })

  test(`${kind}: a key without a value is told with its column, and a rehearsal writes nothing`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T1', target: upsert, ...ada })
    const bytes = await readFile(file.path)
    const none = { columns, rows: [[null, 'Bob']], there: ['id', 'name'] }
    const told = { code: 'unprocessable', message: /table people has nothing in “id”/ }
    const rehearse = async (rows: Pick<Load, 'columns' | 'rows'>) =>
      file.sink().rehearse(targetOf(upsert), await produce(file, { there: ['id', 'name'], ...rows }), writing.signal)
    await assert.rejects(rehearse(none), told)
    assert.equal((await rehearse(ada)).unchanged, 1)
    assert.ok(bytes.equals(await readFile(file.path)))
    await assert.rejects(load(file, { task: 'T2', target: upsert, ...none }), told)
    await assert.rejects(load(file, { task: 'T3', target: { ...upsert, table: 'new' }, ...none, there: [] }), {
      message: /table new has nothing in “id”/,
    })
  })

  test(`${kind}: where there is no file, a rehearsal makes none`, async () => {
    await using file = await databaseFile(kind)
    const produced = await produce(file, { ...ada, there: ['id', 'name'] })
    await assert.rejects(file.sink().rehearse(targetOf(upsert), produced, writing.signal), { code: 'unavailable' })
    assert.deepEqual(await filesIn(file.folder.path), [produced.file])
  })
}

test('a rehearsal waits for a writer of SQLite, and holds none up that writes', async () => {
  await using file = await databaseFile('SQLite')
  await load(file, { task: 'T1', target: upsert, ...ada })
  const produced = await produce(file, { columns, rows: [['2', 'Bob']], there: ['id', 'name'] })
  using db = new DatabaseSync(file.path)
  db.exec('BEGIN EXCLUSIVE')
  const rehearsing = file.sink({ patienceMs: 200 }).rehearse(targetOf(upsert), produced, writing.signal)
  await assert.rejects(rehearsing, { code: 'unavailable', message: /in use/ })
  db.exec('COMMIT; BEGIN IMMEDIATE')
  const { inserted } = await file.sink().rehearse(targetOf(upsert), produced, writing.signal)
  assert.equal(inserted, 1)
})

test('SQLite: what triggers make of a row is known to its undo, and numbers are not given again', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT COLLATE NOCASE UNIQUE, name TEXT, seen INTEGER DEFAULT 0);
    CREATE TRIGGER seen AFTER UPDATE OF name ON people BEGIN UPDATE people SET seen = seen + 1 WHERE id = new.id; END;
    INSERT INTO people (code, name) VALUES ('a', 'ada'), ('b', 'bob')`)
  const target = { mode: 'upsert', key: ['code'] } as const
  const rows = [
    ['A', 'Ada'],
    ['B', 'bob'],
    ['c', 'cid'],
  ]
  await load(file, { task: 'T1', target, columns: { code: 'string', name: 'string' }, rows })
  assert.deepEqual(await file.query('SELECT code, name, seen FROM people ORDER BY id'), [
    ['a', 'Ada', '1'],
    ['b', 'bob', '0'],
    ['c', 'cid', '0'],
  ])
  assert.deepEqual(await undo(file, 'T1', target), { removed: 1, restored: 1, left: 0, leftKeys: [] })
  assert.deepEqual((await file.query('SELECT code, name FROM people ORDER BY id'))[0], ['a', 'ada'])
  await file.query('DROP TRIGGER seen')
  await load(file, { task: 'T2', target: replace, columns: { name: 'string' }, rows: [['x'], ['y']] })
  await undo(file, 'T2', replace)
  await file.query(`INSERT INTO people (code) VALUES ('d')`)
  assert.deepEqual(await file.query(`SELECT id FROM people WHERE code = 'd'`), [['6']])
})

test('SQLite: what is kept is of the type that it was, in a strict table without a number of the row', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (what ANY, id TEXT PRIMARY KEY, raw BLOB) STRICT, WITHOUT ROWID;
    INSERT INTO people VALUES ('007', 'a', x'00ff'), (7, 'b', NULL), (1.5, 'c', x'01')`)
  const all = 'SELECT id, what, typeof(what), hex(raw) FROM people'
  const before = await file.query(all)
  const rows = ['a', 'b', 'c', 'd'].map((one) => [one, 'x'])
  await load(file, { task: 'T1', target: upsert, columns: { id: 'string', what: 'string' }, rows })
  assert.deepEqual(await undo(file, 'T1', upsert), { removed: 1, restored: 3, left: 0, leftKeys: [] })
  assert.deepEqual(await file.query(all), before)
})

test('SQLite: an upsert whose rows a trigger gives another key is refused, since it could not be undone', async () => {
  await using file = await databaseFile('SQLite')
  await file.query(`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TRIGGER other AFTER INSERT ON people BEGIN UPDATE people SET id = id + 100 WHERE id = new.id; END`)
  await assert.rejects(load(file, { task: 'T1', target: upsert, ...ada }), {
    code: 'unprocessable',
    message: /trigger changes it/,
  })
  await load(file, { task: 'T2', target: { ...upsert, undoable: false }, ...ada })
  assert.deepEqual(await file.query('SELECT id FROM people'), [['101']])
})
