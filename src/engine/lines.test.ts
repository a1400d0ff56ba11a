import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Folder, temporaryFolder } from '../../test/harness.ts'
import { Database } from './duckdb.ts'
import { linesSql } from './lines.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

/** How many lines are as they were written, in their order, and how many there are. */
async function read(lengths: readonly number[], memory: number): Promise<number[]> {
  const path = folder.at('lines')
  const lines = lengths.map((length, i) => `${i}\u001f${'x'.repeat(length)}\u001f${length}\n`)
  await writeFile(path, lines.join(''))
  using database = await Database.open({
    memory,
    threads: 2,
    spill: folder.at('spill'),
    readable: [path],
    writable: folder.at('out'),
    signal: new AbortController().signal,
  })
  const scan = linesSql({
    path,
    delimiter: '\u001f',
    lineEnd: '\n',
    skip: 0,
    longest: Math.max(...lines.map((line) => line.length)),
    columns: [
      ['i', 'BIGINT'],
      ['cell', 'VARCHAR'],
      ['length', 'BIGINT'],
    ],
  })
  const rows = await database.rows(`SELECT i, coalesce(strlen(cell), 0) = length FROM ${scan}`)
  return [rows.filter(([i, same], at) => Number(i) === at && same === true).length, rows.length]
}

test('very long lines are read in a small part of the memory that DuckDB would ask for by itself', async () => {
  // By itself it would ask for 16 times the longest line at once.
  assert.deepEqual(await read([5, 20_000_000, 0, 19_999_999, 7], 250e6), [5, 5])
})

test('lines of any length are all read, wherever the buffers divide them', async () => {
  for (const longest of [100, 1_999_999, 7_999_991, 8_000_000, 8_000_001, 9_999_977]) {
    const lengths = Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? longest - 16 : (i * 7919) % 1000))
    assert.deepEqual(await read(lengths, 500e6), [40, 40], String(longest))
  }
})
