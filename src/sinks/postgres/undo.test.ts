import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idOf, type Load, load, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { openPostgres, undo } from '../../../test/postgres-fixture.ts'
import { missing } from '../../../test/servers.ts'

const skip = missing('postgres')

const columns = { id: 'integer', name: 'string' } as const
const append: Load = { task: 'A', columns, rows: [['1', 'Ada']] }
const upsert: Load = { ...append, target: { mode: 'upsert', key: ['id'] } }
const replace: Load = { ...append, target: { mode: 'replace' } }
const kept = '"_rowmill_kept_A_rows"'

suite('a load into a table of PostgreSQL', { skip }, () => {
  for (const [what, one, sql, told] of [
    ['the ledger is gone', append, 'DROP TABLE _rowmill_loads', /does not know of the load/],
    ['the table is gone', append, 'DROP TABLE people', /the table is gone/],
    ['the table is another', upsert, 'ALTER TABLE people RENAME TO persons', /the table is gone/],
    ['rows have no task any more', append, 'ALTER TABLE people DROP "_rowmill_task"', /tell no more which task/],
    ['somebody has dropped what was kept', upsert, `DROP TABLE ${kept}`, /what was kept for it is gone/],
    ['somebody has dropped the old table', replace, `DROP TABLE ${kept}`, /what was kept for it is gone/],
    ['a column of the table is gone', upsert, 'ALTER TABLE people DROP name', /other columns now/],
  ] as const) {
    test(`cannot be undone when ${what}, and that is said`, async () => {
      await using database = await openPostgres()
      if (one === replace)
        await database.run("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (7, 'Old')")
      await load(database.sink, one)
      await database.run(sql)
      await assert.rejects(undo(database.sink, one), { code: 'conflict', message: told })
    })
  }

  test('is undone in the schema that it went to, whatever the search path is by then', async () => {
    await using database = await openPostgres()
    await database.run('CREATE SCHEMA one; CREATE SCHEMA two')
    const name = new URL(database.url).pathname.slice(1)
    const into = (path: string) => database.run(`ALTER DATABASE ${name} SET search_path = ${path}, public`)
    await load(database.sink, { ...append, task: 'FIRST', target: { table: 'elsewhere' } })
    await into('one')
    await load(database.sink, append)
    await into('two')
    await assert.rejects(undo(database.sink, append), { code: 'conflict' })
    await into('one')
    assert.equal((await undo(database.sink, append)).removed, 1)
  })

  test('stays as it is when another table refers to its rows', async () => {
    await using database = await openPostgres()
    await load(database.sink, upsert)
    await database.run('CREATE TABLE other (id bigint REFERENCES people); INSERT INTO other VALUES (1)')
    await assert.rejects(undo(database.sink, upsert), { code: 'unprocessable', message: /foreign key/ })
    assert.deepEqual(await database.rows('SELECT id FROM people'), [['1']])
  })

  test('stays as it is when a trigger keeps rows from being taken out', async () => {
    await using database = await openPostgres()
    await load(database.sink, upsert)
    await database.run(`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER t BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION f()`)
    await assert.rejects(undo(database.sink, upsert), {
      code: 'unprocessable',
      message: /took back 0 of 1 rows.*trigger/,
    })
  })

  test('is undone once, and no more', async () => {
    await using database = await openPostgres()
    for (const one of [append, { ...upsert, task: 'B', target: { ...upsert.target, table: 'others' } }]) {
      await load(database.sink, one)
      await undo(database.sink, one)
      const of = { ...idOf(one), target: targetOf(one) }
      await assert.rejects(database.sink.undo(idOf({ task: 'AGAIN' }), 1, of), { code: 'conflict' })
      await using repeated = await database.sink.begin(idOf(one), 2, targetOf(one))
      assert.equal(repeated.delivered?.superseded, true)
    }
  })

  test('is undone by one of two tasks at once', async () => {
    await using database = await openPostgres()
    await load(database.sink, append)
    const begin = (task: string) => database.sink.undo(idOf({ task }), 1, { ...idOf(append), target: targetOf(append) })
    await using first = await begin('X')
    await using second = await begin('Y')
    await first.write(writing.signal)
    const late = second.write(writing.signal)
    // It may have been waiting for the first, or only come when that was done.
    const loses = assert.rejects(
      late.then(() => second.commit()),
      { code: 'conflict' },
    )
    assert.equal((await first.commit()).removed, 1)
    await loses
  })

  test('tells no more keys of rows that are left than anybody reads, in their order', async () => {
    await using database = await openPostgres()
    const rows = Array.from({ length: 1200 }, (_, i) => [String(1200 - i), 'x'])
    await load(database.sink, { ...upsert, rows })
    await database.run("UPDATE people SET name = 'y' WHERE id > 100")
    const { removed, left, leftKeys } = await undo(database.sink, upsert)
    assert.deepEqual([removed, left, leftKeys.length], [100, 1100, 1000])
    assert.deepEqual([leftKeys[0], leftKeys[999]], [{ id: '101' }, { id: '1100' }])
  })

  test('is undone while others read the table', async () => {
    await using database = await openPostgres()
    await database.run("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (7, 'Old')")
    await load(database.sink, replace)
    await using undoing = await database.sink.undo(idOf({ task: 'X' }), 1, {
      ...idOf(replace),
      target: targetOf(replace),
    })
    await undoing.write(writing.signal)
    assert.deepEqual(await database.rows('SELECT name FROM people'), [['Ada']])
    await undoing.commit()
    assert.deepEqual(await database.rows('SELECT name FROM people'), [['Old']])
  })
})
