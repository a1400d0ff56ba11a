/**
 * A load that dies or stops at a point where it could go wrong leaves each row in its table exactly once. All points, in
 * all modes, on all databases: `node test/crash/load-long.ts`.
 */
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { type DatabaseKind, databases } from './databases.ts'
import { freezeAt, killAt, killUndoAt } from './loads.ts'

/** Each takes seconds, so that every database has one of them. */
function check(what: string, name: string, body: (kind: DatabaseKind) => Promise<void>): void {
  for (const kind of databases.filter((one) => one.name === name)) {
    void test(what, { skip: kind.skip }, () => body(kind))
  }
}

check(
  'killed after the ledger of PostgreSQL is written: each row is there once, though somebody makes the table',
  'PostgreSQL',
  async (kind) => {
    await using folder = await temporaryFolder()
    const make = 'CREATE TABLE people (id bigint, text varchar(200))'
    await killAt('after-ledger', kind, folder, { meanwhile: (database) => database.run(make) })
  },
)

check(
  'killed after the commit to DuckDB: each row is there once, though the table is altered',
  'DuckDB',
  async (kind) => {
    await using folder = await temporaryFolder()
    const alter = 'ALTER TABLE people RENAME COLUMN text TO words'
    await killAt('after-commit', kind, folder, { meanwhile: (database) => database.run(alter) })
  },
)

check('killed amid the undoing of a load into MariaDB: there is what was there before', 'MariaDB', async (kind) => {
  await using folder = await temporaryFolder()
  await killUndoAt('after-commit', kind, folder)
})

check('frozen before it committed to SQLite: it is too late', 'SQLite', async (kind) => {
  await using folder = await temporaryFolder()
  await freezeAt('before-commit', kind, folder)
})
