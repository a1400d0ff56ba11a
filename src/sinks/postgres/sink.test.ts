import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableContract } from '../../../test/contracts/tables.ts'
import { type Load, load, targetOf } from '../../../test/mysql-fixture.ts'
import { openPostgres } from '../../../test/postgres-fixture.ts'
import { missing } from '../../../test/servers.ts'

const skip = missing('postgres')

tableContract({ name: 'PostgreSQL', skip, open: () => openPostgres() })
tableContract({ name: 'PostgreSQL over two connections', skip, open: () => openPostgres(2), loadsOnly: true })

const ada: Load = { task: 'ADA', columns: { id: 'integer', name: 'string' }, rows: [['1', 'Ada']] }

test('PostgreSQL: tables of its own take no rows', { skip }, async () => {
  await using database = await openPostgres()
  for (const table of ['pg_temp.people', 'pg_catalog.people', 'pg_class', 'information_schema.people', 'pg_toast.x']) {
    await assert.rejects(database.sink.check(targetOf({ target: { table } })), {
      code: 'unprocessable',
      message: /belongs to PostgreSQL itself.*Name a table in a schema of your own/,
    })
    await assert.rejects(load(database.sink, { ...ada, target: { table } }), { code: 'unprocessable' })
  }
})

test('PostgreSQL: where no table can be made, it says so', { skip }, async () => {
  await using database = await openPostgres()
  const name = new URL(database.url).pathname.slice(1)
  await database.run(`ALTER DATABASE ${name} SET search_path = nowhere`)
  await assert.rejects(database.sink.check(targetOf({})), { code: 'unprocessable', message: /no schema/ })
})

test('PostgreSQL: tasks that append to one table at once both get there', { skip }, async () => {
  await using database = await openPostgres()
  await load(database.sink, ada)
  const tasks = ['BOB', 'CID', 'DAN']
  await Promise.all(tasks.map((task, i) => load(database.sink, { ...ada, task, rows: [[String(i + 2), task]] })))
  assert.deepEqual(await database.rows('SELECT name, "_rowmill_task" FROM people ORDER BY id'), [
    ['Ada', 'ADA'],
    ...tasks.map((task) => [task, task]),
  ])
})

test('PostgreSQL: of tasks that make one table at once, one does, and the others may try again', { skip }, async () => {
  await using database = await openPostgres()
  for (const table of ['one', 'two', 'three', 'four']) {
    const tasks = ['ADA', 'BOB', 'CID', 'DAN']
    const ended = await Promise.allSettled(
      tasks.map((task) => load(database.sink, { ...ada, task: `${task}${table}`, target: { table } })),
    )
    assert.ok(ended.some(({ status }) => status === 'fulfilled'))
    for (const one of ended) if (one.status === 'rejected') assert.equal(one.reason.code, 'unavailable', one.reason)
  }
  await database.run("CREATE TYPE five AS ENUM ('a')")
  await assert.rejects(load(database.sink, { ...ada, target: { table: 'five' } }), {
    code: 'unavailable',
    message: /a type of the same name, or another session makes the table/,
  })
})

test('PostgreSQL: rows that others put into a table that Rowmill made have no task', { skip }, async () => {
  await using database = await openPostgres()
  await load(database.sink, ada)
  await database.run("INSERT INTO people VALUES (2, 'Bob')")
  const plain = await load(database.sink, { ...ada, task: 'CID', target: { undoable: false }, rows: [['3', 'Cid']] })
  assert.equal('undoable' in plain.output && plain.output.undoable, false)
  assert.deepEqual(await database.rows('SELECT id, "_rowmill_task" FROM people ORDER BY id'), [
    ['1', 'ADA'],
    ['2', null],
    ['3', null],
  ])
})

test('PostgreSQL: an append is not undoable whose rows would not carry their task', { skip }, async () => {
  await using database = await openPostgres()
  await database.run('CREATE TABLE people (id int, name text, "_rowmill_task" text)')
  const { output } = await load(database.sink, ada)
  assert.equal('undoable' in output && output.undoable, false)
})
