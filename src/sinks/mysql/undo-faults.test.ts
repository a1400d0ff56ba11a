import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idOf, type Load, load, openMysql, openWire, produce, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { missing } from '../../../test/servers.ts'
import type { TableSink, Undoing } from '../../ports.ts'
import { keptTable } from '../tables.ts'
import { mysqlSink } from './sink.ts'

const skip = missing('mariadb')

const columns = { id: 'integer', name: 'string' } as const
const upsert = { mode: 'upsert', key: ['id'] } as const
const replace = { mode: 'replace' } as const

const before: Load = {
  task: 'BEFORE',
  columns,
  rows: [
    ['1', 'Ada'],
    ['2', 'Bob'],
  ],
}

/** Changes a row, leaves one, and brings one. */
const changes: Load = {
  ...before,
  task: 'CHANGES',
  rows: [
    ['1', 'Ada'],
    ['2', 'Eve'],
    ['3', 'Cid'],
  ],
}

/** Each way to undo: what was loaded before, what is undone, the statement that decides, what it comes to. */
const ways = [
  {
    way: 'an append',
    first: before,
    one: { ...changes, rows: [['3', 'Cid']] },
    decisive: 'COMMIT',
    counts: [1, 0, 0],
  },
  {
    way: 'a replace',
    first: before,
    one: { ...changes, target: replace },
    decisive: 'RENAME TABLE',
    counts: [3, 2, 0],
  },
  {
    way: 'an upsert',
    first: { ...before, target: upsert },
    one: { ...changes, target: upsert },
    decisive: 'COMMIT',
    counts: [1, 1, 0],
  },
] as const

const undoId = { task: 'UNDO', output: 'rows' }

function beginUndo(sink: TableSink, one: Load, attempt: number): Promise<Undoing> {
  return sink.undo(undoId, attempt, { ...idOf(one), target: targetOf(one) })
}

async function undo(sink: TableSink, one: Load, attempt: number): Promise<number[]> {
  await using undoing = await beginUndo(sink, one, attempt)
  if (undoing.undone === undefined) await undoing.write(writing.signal)
  const { removed, restored, left } = undoing.undone ?? (await undoing.commit())
  return [removed, restored, left]
}

suite('an undo of MySQL that is broken off', { skip }, () => {
  for (const { way, first, one, decisive, counts } of ways) {
    for (const fault of ['lost', 'unanswered', 'late'] as const) {
      test(`takes ${way} back once, when its ${decisive} is ${fault}`, async () => {
        await using database = await openMysql()
        await using wire = await openWire(database.url)
        await load(database.sink, first)
        await load(database.sink, one)
        await using old = await beginUndo(mysqlSink('db', wire.url), one, 1)
        await old.write(writing.signal)
        wire.breakAt(decisive, fault)
        const committing = assert.rejects(old.commit(), { code: 'unavailable' })
        await (fault === 'late' ? wire.broken() : committing)
        await using again = await beginUndo(database.sink, one, 2)
        assert.equal(again.undone !== undefined, fault === 'unanswered')
        await again[Symbol.asyncDispose]()
        assert.deepEqual(await undo(database.sink, one, 3), counts)
        wire.release()
        await committing
        assert.deepEqual(await undo(database.sink, one, 4), counts)
        assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), before.rows)
      })
    }
  }

  test('leaves the kept table alone, when it is broken off before it brings it back', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    const one: Load = { ...changes, target: replace }
    await load(database.sink, before)
    await load(database.sink, one)
    for (const [attempt, statement] of ['staging = ', 'ready_at = UTC', 'RENAME TABLE'].entries()) {
      await using old = await beginUndo(mysqlSink('db', wire.url), one, attempt + 1)
      await old.write(writing.signal)
      wire.breakAt(statement, 'lost')
      await assert.rejects(old.commit(), { code: 'unavailable' })
      // Whoever comes by next finds out what has become of it.
      await load(database.sink, { ...before, task: `OTHER ${attempt}`, target: { table: 'other' } })
      assert.deepEqual(await database.rows(`SELECT name FROM ${keptTable(idOf(one))} ORDER BY id`), [['Ada'], ['Bob']])
      assert.equal((await database.rows('SELECT * FROM people')).length, 3)
    }
    assert.deepEqual(await undo(database.sink, one, 9), [3, 2, 0])
  })

  for (const way of [{ mode: 'append' }, replace, { ...upsert, undoable: false }] as const) {
    const { mode } = way
    test(`puts nothing aside of what ${mode} brings meanwhile`, async () => {
      await using database = await openMysql()
      await using wire = await openWire(database.url)
      await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9))')
      await load(database.sink, before)
      const one: Load = { ...changes, target: replace }
      await load(database.sink, one)
      const late: Load = { ...before, task: 'LATE', target: way, rows: [['9', 'Ida']] }
      await using produced = await produce(database.sink, late)
      {
        await using old = await beginUndo(mysqlSink('db', wire.url), one, 1)
        await old.write(writing.signal)
        await using stack = new AsyncDisposableStack()
        const loading = stack.use(await database.sink.begin(idOf(late), 1, targetOf(late)))
        await loading.write(produced, writing)
        wire.breakAt('RENAME TABLE', 'late')
        const committing = old.commit()
        await wire.broken()
        await assert.rejects(loading.commit(), { code: 'unavailable' })
        // It is what the renaming waits for.
        await stack.disposeAsync()
        wire.release()
        assert.equal((await committing).restored, 2)
      }
      assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), before.rows)
      await load(database.sink, { ...late, attempt: 2 })
      assert.equal((await database.rows('SELECT id FROM people WHERE id = 9')).length, 1)
    })
  }

  test('is known though nobody asks for it again, and what it has put aside stays', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    const one: Load = { ...changes, target: replace }
    await load(database.sink, before)
    await load(database.sink, one)
    await using old = await beginUndo(mysqlSink('db', wire.url), one, 1)
    await old.write(writing.signal)
    wire.breakAt('RENAME TABLE', 'unanswered')
    await assert.rejects(old.commit(), { code: 'unavailable' })
    await load(database.sink, { ...before, task: 'OTHER', target: { table: 'other' } })
    assert.deepEqual(
      await database.rows(
        "SELECT task, kept IS NOT NULL, staging, undoable, committed_at IS NOT NULL FROM _rowmill_loads WHERE task IN ('CHANGES', 'UNDO') ORDER BY task",
      ),
      [
        ['CHANGES', '0', null, '0', '1'],
        ['UNDO', '1', null, '0', '1'],
      ],
    )
    assert.deepEqual(await database.rows("SHOW TABLES LIKE '%kept%'"), [[keptTable(undoId)]])
    assert.equal((await database.rows(`SELECT * FROM ${keptTable(undoId)}`)).length, 3)
  })
})

suite('an upsert of MySQL that is broken off', { skip }, () => {
  for (const statement of ['CREATE TABLE', 'LOAD DATA', 'INSERT INTO', 'COMMIT'] as const) {
    test(`leaves no table of what it would have changed, when its ${statement} is lost`, async () => {
      await using database = await openMysql()
      await using wire = await openWire(database.url)
      const one: Load = { ...changes, target: upsert }
      await database.run('CREATE TABLE people (id int PRIMARY KEY, name varchar(9))')
      await load(database.sink, { ...before, target: { ...upsert, undoable: false } })
      await using produced = await produce(database.sink, one)
      await using old = await mysqlSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
      wire.breakAt(statement, 'lost')
      const broken = async () => {
        await old.write(produced, writing)
        await old.commit()
      }
      await assert.rejects(broken(), { code: 'unavailable' })
      await load(database.sink, { ...before, task: 'OTHER', target: { table: 'other' } })
      assert.deepEqual(await database.rows("SHOW TABLES LIKE '\\_rowmill\\_kept%'"), [])
      assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), before.rows)
      await load(database.sink, { ...one, attempt: 2 })
      assert.deepEqual(await undo(database.sink, one, 1), [1, 1, 0])
    })
  }

  test('and committed all the same can be undone', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    const one: Load = { ...changes, target: upsert }
    await load(database.sink, { ...before, target: upsert })
    await using produced = await produce(database.sink, one)
    {
      await using old = await mysqlSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
      await old.write(produced, writing)
      wire.breakAt('COMMIT', 'unanswered')
      await assert.rejects(old.commit(), { code: 'unavailable' })
    }
    await using again = await database.sink.begin(idOf(one), 2, targetOf(one))
    assert.equal(again.delivered?.output !== undefined && 'undoable' in again.delivered.output, true)
    assert.deepEqual(await database.rows("SHOW TABLES LIKE '\\_rowmill\\_kept%'"), [[keptTable(idOf(one))]])
    assert.deepEqual(await undo(database.sink, one, 1), [1, 1, 0])
    assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), before.rows)
  })
})
