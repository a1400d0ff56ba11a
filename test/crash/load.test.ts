/**
 * A load that dies or stops at a point where it could go wrong leaves each row in its table exactly once. All points, in
 * all modes, on all databases: `node test/crash/load-long.ts`.
 */
import { suite, test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { databases } from './databases.ts'
import { freezeAt, killAt, killUndoAt } from './loads.ts'

/** Of what takes seconds, a server and a file each: on all of them only when there is time. */
const undone: readonly string[] = ['PostgreSQL', 'SQLite']
const frozen: readonly string[] = ['MariaDB', 'DuckDB']

for (const kind of databases) {
  suite(`a service that loads into ${kind.name} is killed`, { skip: kind.skip }, () => {
    if (kind.name === 'PostgreSQL') {
      test('after the ledger is written: each row is there once', async () => {
        await using folder = await temporaryFolder()
        await killAt('after-ledger', kind, folder)
      })
    }

    test('after the commit: each row is there once, also when the table is altered meanwhile', async () => {
      await using folder = await temporaryFolder()
      const alter = 'ALTER TABLE people RENAME COLUMN text TO words'
      await killAt('after-commit', kind, folder, { meanwhile: (database) => database.run(alter) })
    })
  })
}

for (const kind of databases.filter(({ name }) => undone.includes(name))) {
  test(`a service that undoes a load into ${kind.name} is killed: there is what was there before`, {
    skip: kind.skip,
  }, async () => {
    await using folder = await temporaryFolder()
    await killUndoAt('after-commit', kind, folder)
  })
}

for (const kind of databases.filter(({ name }) => frozen.includes(name))) {
  test(`a service that was frozen before it committed to ${kind.name} is too late`, { skip: kind.skip }, async () => {
    await using folder = await temporaryFolder()
    await freezeAt('before-commit', kind, folder)
  })
}
