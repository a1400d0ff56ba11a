/** What every sink of tables must do, on a real database. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { temporaryFolder } from '../harness.ts'
import { rehearsalContract } from './rehearsal.ts'
import {
  type TableFixture,
  type Columns,
  people,
  type Check,
  ada,
  task,
  targetOf,
  names,
  writing,
  all,
  load,
  produced,
} from './table-samples.ts'
import { undoContract } from './undo.ts'

export function tableContract({ name, skip, open, loadsOnly }: TableFixture): void {
  const check: Check = (what, body) => {
    void test(`${name}: ${what}`, { skip }, async () => {
      await using database = await open()
      await using folder = await temporaryFolder()
      await body(database, folder)
    })
  }
  if (loadsOnly !== true) {
    undoContract(check)
    rehearsalContract(check)
  }

  check('a table that is not there is made, and its rows are counted', async (database, folder) => {
    const { balance, output } = await load(database, folder, { task: task(1), target: {}, rows: ada })
    assert.deepEqual(balance, { produced: 2, inserted: 2, updated: 0, unchanged: 0, skipped: 0 })
    assert.deepEqual(output, { name: 'rows', to: 'db', table: 'people', mode: 'append', rows: 2, undoable: true })
    assert.deepEqual(await all(database), [
      ['1', 'Ada', '1.50'],
      ['2', null, null],
    ])
    const columns = await database.sink.check(targetOf({}))
    assert.deepEqual(
      columns?.map((column) => [column.name, column.field?.type.replace(/[(].*/, '')]),
      [
        ['id', 'integer'],
        ['name', 'string'],
        ['amount', 'decimal'],
      ],
    )
  })

  check('rows that are appended carry their task', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, rows: ada })
    await load(database, folder, { task: task(2), target: {}, rows: [['3', 'Grace', '0.10']] })
    assert.deepEqual(await database.rows('SELECT id, "_rowmill_task" FROM people ORDER BY id'), [
      ['1', task(1)],
      ['2', task(1)],
      ['3', task(2)],
    ])
  })

  check('there is no table that nobody has made', async ({ sink }) => {
    assert.equal(await sink.check(targetOf({ table: 'nowhere' })), undefined)
  })

  check('what is not committed is not there', async (database, folder) => {
    for (const [n, mode] of (['append', 'replace', 'upsert'] as const).entries()) {
      const target = targetOf({ mode, ...(mode === 'upsert' && { key: ['id'] }) })
      {
        await using delivery = await database.sink.begin({ task: task(n), output: 'rows' }, 1, target)
        await delivery.write(await produced(folder, database.sink, people, ada), writing())
      }
      assert.equal(await database.sink.check(targetOf({})), undefined, mode)
    }
  })

  check('an attempt after the commit finds it done', async (database, folder) => {
    const first = await load(database, folder, { task: task(1), target: {}, rows: ada })
    await using again = await database.sink.begin({ task: task(1), output: 'rows' }, 2, targetOf({}))
    assert.deepEqual(again.delivered, { ...first, superseded: false })
    await load(database, folder, { task: task(2), target: {}, rows: ada })
    await using later = await database.sink.begin({ task: task(1), output: 'rows' }, 3, targetOf({}))
    assert.equal(later.delivered?.superseded, true)
    assert.equal((await all(database)).length, 4)
  })

  check('an attempt that was overtaken cannot commit', async (database, folder) => {
    await load(database, folder, { task: task(9), target: {}, rows: [] })
    const id = { task: task(1), output: 'rows' }
    await using old = await database.sink.begin(id, 1, targetOf({}))
    await old.write(await produced(folder, database.sink, people, ada, names(people)), writing())
    await load(database, folder, { task: task(1), attempt: 2, target: {}, rows: ada })
    // What is held by nobody but the earlier attempt is taken from it; else it finds that it comes too late.
    await assert.rejects(old.commit(), (error) => {
      return error instanceof AppError && ['conflict', 'unavailable'].includes(error.code)
    })
    await assert.rejects(database.sink.begin(id, 1, targetOf({})), { code: 'conflict' })
    assert.equal((await all(database)).length, 2)
  })

  check('replace puts the new rows in the place of the old ones', async (database, folder) => {
    await load(database, folder, { task: task(1), target: { mode: 'replace' }, rows: ada })
    const rows = [['7', 'Grace', '0.10']]
    const { balance } = await load(database, folder, { task: task(2), target: { mode: 'replace' }, rows })
    assert.equal(balance.inserted, 1)
    assert.deepEqual(await all(database), rows)
    await load(database, folder, { task: task(3), target: { mode: 'replace' }, rows: ada })
    assert.deepEqual((await all(database))[0], ['1', 'Ada', '1.50'])
  })

  check('the old table can be read until the new one takes its place', async (database, folder) => {
    if (database.sink.rows === 'parquet') return // One process at a time has its file.
    await load(database, folder, { task: task(1), target: { mode: 'replace' }, rows: ada })
    const id = { task: task(2), output: 'rows' }
    await using delivery = await database.sink.begin(id, 1, targetOf({ mode: 'replace' }))
    await delivery.write(await produced(folder, database.sink, people, [], names(people)), writing())
    assert.equal((await all(database)).length, 2)
    await delivery.commit()
    assert.equal((await all(database)).length, 0)
  })

  check('upsert tells new rows from changed and unchanged ones', async (database, folder) => {
    const target = { mode: 'upsert', key: ['id'] } as const
    await load(database, folder, { task: task(1), target, rows: ada })
    const rows = [
      ['1', 'Ada', '1.50'],
      ['2', 'Bob', null],
      ['3', 'Cid', '3.00'],
    ]
    const { balance } = await load(database, folder, { task: task(2), target, rows })
    assert.deepEqual(balance, { produced: 3, inserted: 1, updated: 1, unchanged: 1, skipped: 0 })
    assert.deepEqual(await all(database), rows)
    const alike = await load(database, folder, { task: task(3), target, rows })
    assert.equal(alike.balance.unchanged, 3)
  })

  check('upsert by two columns, and of nothing but the key', async (database, folder) => {
    const columns = people.slice(0, 2)
    const target = { mode: 'upsert', key: ['name', 'id'] } as const
    await load(database, folder, { task: task(1), target, columns, rows: [['1', 'a']] })
    const rows = [
      ['1', 'A'],
      ['1', 'a'],
      ['2', 'a'],
    ]
    const { balance } = await load(database, folder, { task: task(2), target, columns, rows })
    assert.deepEqual([balance.inserted, balance.updated, balance.unchanged], [2, 0, 1])
  })

  check('upsert needs a key that the table knows', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, rows: ada })
    const target = { mode: 'upsert', key: ['id'] } as const
    await assert.rejects(load(database, folder, { task: task(2), target, rows: ada }), { code: 'unprocessable' })
    assert.equal((await all(database)).length, 2)
  })

  check('columns that the table does not have are added', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, columns: people.slice(0, 2), rows: [['1', 'Ada']] })
    for (const [n, mode] of (['append', 'replace'] as const).entries()) {
      const columns: Columns = [...people.slice(0, 2), [`extra ${n}`, 'date']]
      const rows = [['2', 'Bob', '2024-02-29']]
      await load(database, folder, { task: task(2 + n), target: { mode, drift: 'add-columns' }, columns, rows })
    }
    const columns = await database.sink.check(targetOf({}))
    assert.deepEqual(
      columns?.map((column) => column.name),
      ['id', 'name', 'extra 0', 'extra 1'],
    )
    assert.deepEqual(await database.rows('SELECT id, "extra 0", "extra 1" FROM people'), [['2', null, '2024-02-29']])
  })

  check('values arrive as they were', async (database, folder) => {
    const texts = [
      '',
      ' ',
      'a\tb',
      'a\nb',
      'a\r\nb',
      'C:\\new\\table',
      '\\N',
      '\\',
      "O'Brien",
      '"quoted"',
      '007',
      '1e5',
    ]
    const more = ['😀 日本 é', 'null', 'NULL', '12345678901234567890', '\\.', '{1,2}', '%s', '\u0001\u001f', ' x ']
    const columns: Columns = [
      ['n', 'integer'],
      ['text', 'string'],
      ['big', 'decimal(38,18)'],
      ['day', 'date'],
      ['truth', 'boolean'],
      ['fraction', 'number'],
    ]
    const rows = [...texts, ...more].map((text, n) => [
      String(n - 10),
      text,
      n % 2 === 0 ? '12345678901234567890.123456789012345678' : '-0.000000000000000001',
      n % 3 === 0 ? '0002-01-01' : '9998-12-31',
      String(n % 2),
      '0.1',
    ])
    await load(database, folder, { task: task(1), target: {}, columns, rows })
    const found = await database.rows('SELECT n, text, big, day FROM people ORDER BY n')
    const wanted = rows.map((row) => row.slice(0, 4)).toSorted((a, b) => Number(a[0]) - Number(b[0]))
    assert.deepEqual(found, wanted)
    const [[sum] = []] = await database.rows('SELECT count(*) FROM people WHERE fraction = 0.1e0')
    assert.equal(sum, String(rows.length))
  })

  check('the greatest and the least integers arrive', async (database, folder) => {
    const rows = [['9223372036854775807'], ['-9223372036854775808'], ['9007199254740993']]
    await load(database, folder, { task: task(1), target: {}, columns: [['id', 'integer']], rows })
    const found = await database.rows('SELECT id FROM people ORDER BY id')
    assert.deepEqual(found, [['-9223372036854775808'], ['9007199254740993'], ['9223372036854775807']])
  })

  check('names are taken as they stand', async (database, folder) => {
    const labels = ['select', 'a"b', 'a`b', "a'b", 'a b', 'ä', '__proto__', 'constructor', '1', 'a.b', '$x', 'x;--']
    const columns = labels.map((column) => [column, 'string'] as const)
    const table = '"drop table people; --"'
    await load(database, folder, { task: task(1), target: { table }, columns, rows: [labels] })
    const found = await database.sink.check(targetOf({ table }))
    assert.deepEqual(
      found?.map((column) => column.name),
      labels,
    )
    assert.deepEqual(
      (await database.rows('SELECT * FROM "drop table people; --"')).map((row) => row.slice(0, -1)),
      [labels],
    )
  })

  check('tables of Rowmill’s own are nobody else’s, and what stands in them is no SQL', async (database, folder) => {
    for (const table of ['_rowmill_loads', '_ROWMILL_kept_x', 'main._rowmill_loads']) {
      await assert.rejects(database.sink.check(targetOf({ table })), { code: 'unprocessable' })
    }
    await load(database, folder, { task: task(1), target: { table: 'precious' }, rows: ada })
    await load(database, folder, { task: task(2), target: { mode: 'replace' }, rows: ada })
    await database.rows(
      "UPDATE _rowmill_loads SET kept = 'precious', target = 'people', committed_at = coalesce(committed_at, '2024-01-01')",
    )
    // It is no matter whether it is told, or the old table is left where it is.
    await load(database, folder, { task: task(3), target: { mode: 'replace' }, rows: ada }).catch((error: unknown) => {
      assert.match(String(error), /_rowmill_loads has been changed by somebody else/)
    })
    assert.deepEqual(await database.rows('SELECT count(*) FROM precious'), [['2']])
  })

  check('when it is aborted, nothing of it stays, and the next attempt is not held up', async (database, folder) => {
    const stop = new AbortController()
    const id = { task: task(1), output: 'rows' }
    {
      await using delivery = await database.sink.begin(id, 1, targetOf({}))
      stop.abort(new Error('enough'))
      const rows = await produced(folder, database.sink, people, ada)
      await assert.rejects(delivery.write(rows, { ...writing(), signal: stop.signal }))
    }
    assert.equal(await database.sink.check(targetOf({})), undefined)
    await load(database, folder, { task: task(1), attempt: 2, target: {}, rows: ada })
    assert.equal((await all(database)).length, 2)
  })
}
