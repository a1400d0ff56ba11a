import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Fault,
  idOf,
  type Load,
  load,
  type MysqlDatabase,
  openMysql,
  openWire,
  produce,
  targetOf,
  writing,
} from '../../../test/mysql-fixture.ts'
import { missing } from '../../../test/servers.ts'
import { keptTable } from '../tables.ts'
import { mysqlSink } from './sink.ts'

const skip = missing('mariadb')

const columns = { id: 'integer', name: 'string' } as const
const before: Load = { task: 'BEFORE', columns, rows: [['1', 'Ada']] }
const ours: Load = { task: 'OURS', columns, rows: [['2', 'Bob']] }
const both = [
  ['1', 'Ada'],
  ['2', 'Bob'],
]
const upsert = { mode: 'upsert', key: ['id'] } as const

/** Each way to commit: what is there before, what is loaded, the statement that decides, what is there then. */
const ways = [
  { way: 'a new table', first: undefined, one: ours, decisive: 'RENAME TABLE', after: [['2', 'Bob']] },
  {
    way: 'another table',
    first: before,
    one: { ...ours, target: { mode: 'replace' } },
    decisive: 'RENAME TABLE',
    after: [['2', 'Bob']],
  },
  {
    way: 'another table and nothing of the old one',
    first: before,
    one: { ...ours, target: { mode: 'replace', undoable: false } },
    decisive: 'RENAME TABLE',
    after: [['2', 'Bob']],
  },
  {
    way: 'a new table and what its undo takes',
    first: undefined,
    one: { ...ours, target: upsert },
    decisive: 'RENAME TABLE',
    after: [['2', 'Bob']],
  },
  { way: 'more rows', first: before, one: ours, decisive: 'COMMIT', after: both },
  {
    way: 'changed rows',
    first: { ...before, target: upsert },
    one: { ...ours, target: upsert },
    decisive: 'COMMIT',
    after: both,
  },
] as const

suite('a commit of MySQL that is broken off', { skip }, () => {
  for (const { way, first, one, decisive, after } of ways) {
    for (const fault of ['lost', 'unanswered', 'late'] as const) {
      test(`leaves ${way} there once, when its ${decisive} is ${fault}`, async () => {
        await using database = await openMysql()
        await using wire = await openWire(database.url)
        if (first !== undefined) await load(database.sink, first)
        await using produced = await produce(database.sink, one)
        await using old = await mysqlSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
        await old.write(produced, writing)
        wire.breakAt(decisive, fault)
        const committing = assert.rejects(old.commit(), { code: 'unavailable' })
        await (fault === 'late' ? wire.broken() : committing)
        await retry(database, one, fault)
        wire.release()
        await committing
        assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), after)
        await old[Symbol.asyncDispose]()
        await load(database.sink, { ...before, task: 'LATER', target: { table: 'other' } })
        assert.deepEqual(await leftovers(database), [])
        assert.deepEqual(await kept(database), isKept(one) ? [keptTable(idOf(one))] : [])
      })
    }
  }
})

test('a replacement of MySQL that nobody was told of is known by the next attempt, though replaced since', {
  skip,
}, async () => {
  await using database = await openMysql()
  await using wire = await openWire(database.url)
  const one: Load = { ...ours, target: { mode: 'replace' } }
  await load(database.sink, before)
  await using produced = await produce(database.sink, one)
  await using old = await mysqlSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
  await old.write(produced, writing)
  wire.breakAt('RENAME TABLE', 'unanswered')
  await assert.rejects(old.commit(), { code: 'unavailable' })
  for (const task of ['LATER', 'LATEST']) await load(database.sink, { ...one, task, rows: [['3', task]] })
  await using again = await database.sink.begin(idOf(one), 2, targetOf(one))
  assert.equal(again.delivered?.superseded, true)
  assert.deepEqual(await database.rows('SELECT id, name FROM people'), [['3', 'LATEST']])
})

/** The next attempt finds it done if the statement has arrived, and does it if not. */
async function retry({ sink }: MysqlDatabase, one: Load, fault: Fault): Promise<void> {
  await using again = await sink.begin(idOf(one), 2, targetOf(one))
  const { delivered } = again
  assert.equal(delivered !== undefined, fault === 'unanswered')
  await using produced = await produce(sink, one)
  if (delivered === undefined) await again.write(produced, writing)
  const { balance } = delivered ?? (await again.commit())
  assert.equal(balance.inserted, 1)
}

function isKept(one: Load): boolean {
  const { mode, undoable } = targetOf(one)
  return undoable && mode !== 'append'
}

async function kept(database: MysqlDatabase): Promise<(string | null)[]> {
  return (await database.rows("SHOW TABLES LIKE '\\_rowmill\\_kept%'")).map(([name = null]) => name)
}

/** What nobody needs: tables of Rowmill's but for the ledger and one that is kept, and rows that tell of such. */
async function leftovers(database: MysqlDatabase): Promise<(string | null)[]> {
  const found = await database.rows(`SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
      AND table_name LIKE '\\_rowmill\\_%' AND table_name <> '_rowmill_loads' AND table_name NOT LIKE '\\_rowmill\\_kept\\_%'
    UNION SELECT CONCAT(task, ' ', attempt) FROM _rowmill_loads WHERE staging IS NOT NULL OR committed_at IS NULL`)
  return found.map(([name = null]) => name)
}

suite('a session of MySQL', { skip }, () => {
  test('that is stuck ends at once when its delivery is aborted', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    const stop = new AbortController()
    await using produced = await produce(database.sink, ours)
    await using delivery = await mysqlSink('db', wire.url).begin(idOf(ours), 1, targetOf(ours))
    wire.breakAt('LOAD DATA', 'late')
    const stopped = assert.rejects(delivery.write(produced, { ...writing, signal: stop.signal }), { message: 'enough' })
    await wire.broken()
    stop.abort(new Error('enough'))
    await stopped
    await delivery[Symbol.asyncDispose]()
    assert.equal(await database.sink.check(targetOf(ours)), undefined)
    assert.equal((await database.rows("SHOW TABLES LIKE '%stage%'")).length, 0)
  })

  test('that stands still amid its rows is ended by the next attempt', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    await load(database.sink, before)
    await using produced = await produce(database.sink, ours)
    await using old = await mysqlSink('db', wire.url).begin(idOf(ours), 1, targetOf(ours))
    // The statement has arrived, the rows have not.
    wire.breakAt('2\tBob', 'late')
    const stopped = assert.rejects(old.write(produced, writing), { code: 'unavailable' })
    await wire.broken()
    await load(database.sink, { ...ours, attempt: 2 })
    wire.release()
    await stopped
    assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), both)
  })

  test('that nobody comes back for leaves nothing after the next delivery of another task', async () => {
    await using database = await openMysql()
    await using wire = await openWire(database.url)
    await using produced = await produce(database.sink, ours)
    await using old = await mysqlSink('db', wire.url).begin(idOf(ours), 1, targetOf(ours))
    await old.write(produced, writing)
    wire.breakAt('ready_at', 'lost')
    await assert.rejects(old.commit(), { code: 'unavailable' })
    assert.equal((await database.rows("SHOW TABLES LIKE '%stage%'")).length, 1)
    await load(database.sink, { ...ours, task: 'OTHER', target: { table: 'other' } })
    assert.deepEqual(await leftovers(database), ['OURS 1'])
    assert.deepEqual(await database.rows("SELECT staging FROM _rowmill_loads WHERE task = 'OURS'"), [[null]])
  })
})
