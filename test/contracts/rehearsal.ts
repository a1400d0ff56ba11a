/** What every sink of tables must do when it is asked what an upsert would come to. */
import assert from 'node:assert/strict'
import type { OutputBalance } from '../../src/balances.ts'
import type { Folder } from '../harness.ts'
import {
  ada,
  all,
  type Cell,
  type Check,
  type Columns,
  load,
  names,
  people,
  produced,
  type TableDatabase,
  targetOf,
  task,
} from './table-samples.ts'

const target = { mode: 'upsert', key: ['id'] } as const

const changes = [
  ['1', 'Ada', '1.50'],
  ['2', 'Bob', null],
  ['3', 'Cid', '3.00'],
]

export function rehearsalContract(check: Check): void {
  check('a rehearsal counts what the upsert then does, and leaves no trace', async (database, folder) => {
    await load(database, folder, { task: task(1), target, rows: ada })
    const ledger = await database.rows('SELECT count(*) FROM _rowmill_loads')
    const expected = { produced: 3, inserted: 1, updated: 1, unchanged: 1, skipped: 0 }
    assert.deepEqual(await rehearse(database, folder, changes), expected)
    assert.deepEqual(await all(database), ada)
    assert.deepEqual(await database.rows('SELECT count(*) FROM _rowmill_loads'), ledger)
    const { balance } = await load(database, folder, { task: task(2), target, rows: changes })
    assert.deepEqual(balance, expected)
    assert.equal((await rehearse(database, folder, changes)).unchanged, 3)
  })

  check('a rehearsal tells a change of case, and of what is NULL', async (database, folder) => {
    await load(database, folder, { task: task(1), target, rows: ada })
    const rows = [
      ['1', 'ADA', '1.50'],
      ['2', '', null],
    ]
    assert.equal((await rehearse(database, folder, rows)).updated, 2)
  })

  check('a rehearsal takes a column that the table will get for a change', async (database, folder) => {
    await load(database, folder, { task: task(1), target, rows: ada })
    const columns: Columns = [...people, ['more', 'string']]
    const rows = [
      ['1', 'Ada', '1.50', 'x'],
      ['2', null, null, null],
    ]
    const { updated, unchanged } = await rehearse(database, folder, rows, columns)
    assert.deepEqual([updated, unchanged], [1, 1])
    assert.equal((await database.sink.check(targetOf(target)))?.length, people.length)
  })

  check('a key twice, or none, is refused by rehearsal and upsert alike', async (database, folder) => {
    await load(database, folder, { task: task(1), target, rows: ada })
    const twice = [changes[2] ?? [], ['3', 'Dan', null]]
    const none = [[null, 'Nobody', null]]
    for (const rows of [twice, none]) {
      await assert.rejects(rehearse(database, folder, rows), { code: 'unprocessable' })
      await assert.rejects(load(database, folder, { task: task(2), target, rows }), { code: 'unprocessable' })
    }
    assert.deepEqual(await all(database), ada)
  })
}

async function rehearse(
  { sink }: TableDatabase,
  folder: Folder,
  rows: readonly (readonly Cell[])[],
  columns: Columns = people,
): Promise<OutputBalance> {
  const written = await produced(folder, sink, columns, rows, names(people))
  return await sink.rehearse(targetOf(target), written, new AbortController().signal)
}
