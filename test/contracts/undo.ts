/** What every sink of tables must do when a task is undone. */
import assert from 'node:assert/strict'
import { AppError } from '../../src/errors.ts'
import type { Target } from '../../src/model.ts'
import type { Undone } from '../../src/balances.ts'
import type { Undoing } from '../../src/ports.ts'
import { ada, all, type Check, load, type TableDatabase, targetOf, task } from './table-samples.ts'

const upsert = { mode: 'upsert', key: ['id'], undoable: true } as const
const replace = { mode: 'replace' } as const

const grace = [['7', 'Grace', '0.10']]

const changes = [
  ['1', 'Ada', '1.50'],
  ['2', 'Bob', null],
  ['3', 'Cid', '3.00'],
]

export function undoContract(check: Check): void {
  check('an append is undone: the rows that it brought are taken out, and no others', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, rows: ada })
    const { output } = await load(database, folder, { task: task(2), target: {}, rows: grace })
    assert.equal('undoable' in output && output.undoable, true)
    assert.deepEqual(await undo(database, 2), { removed: 1, restored: 0, left: 0, leftKeys: [] })
    assert.deepEqual(await all(database), ada)
    await database.rows('DELETE FROM people WHERE id = 1')
    assert.deepEqual(await undo(database, 1), { removed: 1, restored: 0, left: 1, leftKeys: [] })
    assert.deepEqual(await all(database), [])
  })

  check('nothing is kept of what need not be undone', async (database, folder) => {
    const target = { undoable: false }
    for (const [n, mode] of (['append', 'append', 'replace', 'replace'] as const).entries()) {
      const { output } = await load(database, folder, { task: task(n), target: { ...target, mode }, rows: ada })
      assert.equal('undoable' in output && output.undoable, false)
      await assert.rejects(undo(database, n, { ...target, mode }), { code: 'conflict' })
    }
    assert.deepEqual((await database.rows('SELECT * FROM people'))[0]?.length, 3)
    assert.deepEqual(await database.rows('SELECT count(*) FROM _rowmill_loads WHERE kept IS NOT NULL'), [['0']])
  })

  check('a replace is undone: the table is there again that it has replaced', async (database, folder) => {
    const first = await load(database, folder, { task: task(1), target: replace, rows: ada })
    assert.equal('undoable' in first.output && first.output.undoable, false)
    const second = await load(database, folder, { task: task(2), target: replace, rows: grace })
    assert.equal('undoable' in second.output && second.output.undoable, true)
    assert.deepEqual(await undo(database, 2, replace), { removed: 1, restored: 2, left: 0, leftKeys: [] })
    assert.deepEqual(await all(database), ada)
    await assert.rejects(undo(database, 2, replace, 9), { code: 'conflict' })
    // What comes next finds the table as it ever was.
    await load(database, folder, { task: task(3), target: replace, rows: grace })
    assert.deepEqual(await undo(database, 3, replace), { removed: 1, restored: 2, left: 0, leftKeys: [] })
    assert.deepEqual(await all(database), ada)
  })

  check('a replace is not undone once the table was loaded again', async (database, folder) => {
    await load(database, folder, { task: task(1), target: replace, rows: ada })
    await load(database, folder, { task: task(2), target: replace, rows: grace })
    await load(database, folder, { task: task(3), target: { undoable: false }, rows: ada })
    await assert.rejects(undo(database, 2, replace), { code: 'conflict' })
    assert.equal((await all(database)).length, 3)
  })

  check('what was undone itself is in the way of no other undo', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, rows: ada })
    await load(database, folder, { task: task(2), target: replace, rows: grace })
    await load(database, folder, { task: task(3), target: {}, rows: [['8', 'Hal', null]] })
    // The rows of the first are not there, but with the table that was put aside.
    await assert.rejects(undo(database, 1), { code: 'conflict' })
    await assert.rejects(undo(database, 2, replace), { code: 'conflict' })
    assert.equal((await undo(database, 3)).removed, 1)
    assert.deepEqual(await undo(database, 2, replace, 60), { removed: 1, restored: 2, left: 0, leftKeys: [] })
    assert.deepEqual(await all(database), ada)
    assert.equal((await undo(database, 1, {}, 61)).removed, 2)
  })

  check('a table that somebody has made in the place of the loaded one is not put aside', async (database, folder) => {
    await load(database, folder, { task: task(1), target: replace, rows: ada })
    await load(database, folder, { task: task(2), target: replace, rows: grace })
    await database.rows('DROP TABLE people')
    await database.rows('CREATE TABLE people (mine integer)')
    await database.rows('INSERT INTO people VALUES (1)')
    await assert.rejects(undo(database, 2, replace), { code: 'conflict', message: /other columns/ })
    assert.deepEqual(await database.rows('SELECT mine FROM people'), [['1']])
  })

  check('an upsert is undone row by row, and rows that were changed since are left', async (database, folder) => {
    await load(database, folder, { task: task(1), target: upsert, rows: ada })
    const { output } = await load(database, folder, { task: task(2), target: upsert, rows: changes })
    assert.equal('undoable' in output && output.undoable, true)
    assert.deepEqual(await undo(database, 2, upsert), { removed: 1, restored: 1, left: 0, leftKeys: [] })
    assert.deepEqual(await all(database), ada)

    await load(database, folder, { task: task(3), target: upsert, rows: changes })
    await database.rows("UPDATE people SET name = 'cid' WHERE id = 3")
    const undone = await undo(database, 3, upsert)
    assert.deepEqual(undone, { removed: 0, restored: 1, left: 1, leftKeys: [{ id: '3' }] })
    assert.deepEqual(await all(database), [...ada, ['3', 'cid', '3.00']])
  })

  check('an upsert into a table that it made is undone to an empty table', async (database, folder) => {
    await load(database, folder, { task: task(1), target: upsert, rows: ada })
    await database.rows('DELETE FROM people WHERE id = 2')
    assert.deepEqual(await undo(database, 1, upsert), { removed: 1, restored: 0, left: 1, leftKeys: [{ id: '2' }] })
    assert.deepEqual(await all(database), [])
  })

  check('what a later load has kept takes the place of what an earlier one has', async (database, folder) => {
    await load(database, folder, { task: task(1), target: upsert, rows: ada })
    await load(database, folder, { task: task(2), target: upsert, rows: changes })
    await assert.rejects(undo(database, 1, upsert), { code: 'conflict' })
    assert.deepEqual(await undo(database, 2, upsert), { removed: 1, restored: 1, left: 0, leftKeys: [] })
  })

  check('an undo that was committed is found by the next attempt', async (database, folder) => {
    await load(database, folder, { task: task(1), target: upsert, rows: ada })
    await load(database, folder, { task: task(2), target: upsert, rows: changes })
    await database.rows("UPDATE people SET name = 'cid' WHERE id = 3")
    const first = await undo(database, 2, upsert)
    await using again = await begin(database, 2, upsert, 50, 2)
    assert.deepEqual(again.undone, first)
    assert.equal((await all(database)).length, 3)
  })

  check('an undo that was overtaken cannot commit; one that was given up leaves nothing', async (database, folder) => {
    await load(database, folder, { task: task(1), target: {}, rows: ada })
    {
      await using given = await begin(database, 1, {}, 50, 1)
      await given.write(new AbortController().signal)
    }
    assert.equal((await all(database)).length, 2)
    await using old = await begin(database, 1, {}, 50, 2)
    await old.write(new AbortController().signal)
    const { removed } = await undo(database, 1, {}, 50, 3)
    assert.equal(removed, 2)
    await assert.rejects(old.commit(), AppError)
    assert.deepEqual(await all(database), [])
  })

  check('a table by any of its names is one table', async (database, folder) => {
    await load(database, folder, { task: task(1), target: replace, rows: ada })
    await load(database, folder, { task: task(2), target: { ...replace, table: '"people"' }, rows: grace })
    await load(database, folder, { task: task(3), target: replace, rows: ada })
    assert.deepEqual(await database.rows('SELECT count(*) FROM _rowmill_loads WHERE kept IS NOT NULL'), [['1']])
    const id = { task: task(2), output: 'rows' }
    await using later = await database.sink.begin(id, 2, targetOf(replace))
    assert.equal(later.delivered?.superseded, true)
  })
}

function begin(
  { sink }: TableDatabase,
  of: number,
  target: Partial<Target>,
  by: number,
  attempt: number,
): Promise<Undoing> {
  const undone = { task: task(of), output: 'rows', target: targetOf(target) }
  return sink.undo({ task: task(by), output: 'rows' }, attempt, undone)
}

async function undo(
  database: TableDatabase,
  of: number,
  target: Partial<Target> = {},
  by = of + 48,
  attempt = 1,
): Promise<Undone> {
  await using undoing = await begin(database, of, target, by, attempt)
  assert.equal(undoing.undone, undefined)
  await undoing.write(new AbortController().signal)
  return await undoing.commit()
}
