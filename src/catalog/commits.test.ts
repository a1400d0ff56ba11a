import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { AppError } from '../errors.ts'
import { temporaryFolder } from '../../test/harness.ts'
import { Commits } from './commits.ts'

interface Place extends AsyncDisposable {
  readonly commits: Commits
  readonly db: DatabaseSync
  /** What others see. */
  seen(): unknown[]
  /** A transaction that adds a number, and then does what is given. */
  add(n: number, more?: (db: DatabaseSync) => void): Promise<void>
  /** From now on nothing can be committed. */
  doom(): void
}

async function openPlace(): Promise<Place> {
  const folder = await temporaryFolder()
  const db = new DatabaseSync(folder.at('numbers.db'))
  db.exec('pragma journal_mode = wal; create table numbers (n integer primary key)')
  const other = new DatabaseSync(folder.at('numbers.db'))
  let isDoomed = false
  const check = () => {
    if (isDoomed) throw new AppError('unavailable', 'It is gone.')
  }
  const commits = new Commits({ run: async (work) => work(db), check })
  return {
    commits,
    db,
    seen: () =>
      other
        .prepare('select n from numbers order by n')
        .all()
        .map(({ n }) => n),
    async add(n, more = () => {}) {
      await commits.begin()
      try {
        await commits.run((on) => on.exec(`insert into numbers values (${n})`))
        await commits.run(more)
      } catch (error) {
        await commits.rollback()
        throw error
      }
      await commits.commit()
    },
    doom: () => void (isDoomed = true),
    async [Symbol.asyncDispose]() {
      other.close()
      db.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('transactions that come at once become durable together, and nobody sees one before', async () => {
  await using place = await openPlace()
  const seen: unknown[][] = []
  const ended = [1, 2, 3].map(async (n) => {
    await place.add(n, () => seen.push(place.seen()))
    seen.push(place.seen())
  })
  await Promise.all(ended)
  assert.deepEqual(seen, [[], [], [], [1, 2, 3], [1, 2, 3], [1, 2, 3]])
})

test('one that fails is none, and those beside it are durable', async () => {
  await using place = await openPlace()
  const ended = await Promise.allSettled([
    place.add(1),
    place.add(2, () => assert.fail('no')),
    place.add(1),
    place.add(3),
  ])
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(place.seen(), [1, 3])
})

test('when they cannot be committed, each hears of it, and the next ones can be', async () => {
  await using place = await openPlace()
  place.doom()
  const ended = await Promise.allSettled([place.add(1), place.add(2)])
  assert.deepEqual(
    ended.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status)),
    ['AppError: It is gone.', 'AppError: It is gone.'],
  )
  assert.deepEqual(place.seen(), [])
  assert.equal(place.db.isTransaction, false)
})

test('when SQLite rolls back by itself, those that were not durable hear of it as well', async () => {
  await using place = await openPlace()
  await place.add(1)
  const broken = (db: DatabaseSync) => db.exec('insert or rollback into numbers values (1)')
  const ended = await Promise.allSettled([place.add(2), place.add(3, broken), place.add(4)])
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(place.seen(), [1, 4])
})

test('what follows in a transaction that SQLite has rolled back is refused', async () => {
  await using place = await openPlace()
  await place.add(1)
  await place.commits.begin()
  await assert.rejects(place.commits.run((db) => db.exec('insert or rollback into numbers values (1)')))
  await assert.rejects(
    place.commits.run((db) => db.exec('insert into numbers values (2)')),
    /has taken this back/,
  )
  await assert.rejects(place.commits.commit())
  assert.deepEqual(place.seen(), [1])
})

test('a transaction waits until the one before it has ended', async () => {
  await using place = await openPlace()
  await place.commits.begin()
  const second = place.add(2)
  await place.commits.run((db) => db.exec('insert into numbers values (1)'))
  await place.commits.rollback()
  await second
  assert.deepEqual(place.seen(), [2])
})
