/**
 * Values arrive in a table as they stand in the file, whatever they are: made-up tables of a few seeds, compared with
 * what was written. Any number of others: `node test/values/long.ts`.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { openLoader } from './load.ts'
import { type DatabaseName, databases } from './read-back.ts'
import { mostRecords, round } from './round.ts'

/** Of every mode, into new and declared tables, some with rejects. */
const seeds: Readonly<Record<DatabaseName, readonly number[]>> = {
  PostgreSQL: [22, 85, 135],
  MariaDB: [22, 135, 142],
  SQLite: [22, 142],
  DuckDB: [135, 142],
}

for (const kind of databases) {
  suite(`values come through unchanged to ${kind.name}`, { skip: kind.skip }, () => {
    test(`of ${seeds[kind.name].length} made-up tables, loaded twice`, async () => {
      await using loader = await openLoader(kind)
      for (const seed of seeds[kind.name]) assert.deepEqual(await round(loader, seed, mostRecords), [])
    })
  })
}
