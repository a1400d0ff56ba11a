/**
 * `node bench/peers/read-duckdb.ts FILE [serial]`: DuckDB's own reader, told the dialect; all columns are text, and all are
 * read. `serial` for a file whose values break over lines, which it refuses to read in parallel from some size on.
 */
import { open } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { headerOf } from './header.ts'

const [file = '', how] = process.argv.slice(2)

await using handle = await open(file)
const names = (await headerOf(handle)).names.map((_, i) => `c${i}`)
const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
const reader = await connection.runAndReadAll(`
  SELECT count(*), ${names.map((name) => `sum(strlen(${name}))::BIGINT`).join(', ')}
  FROM read_csv('${file}', delim = ',', quote = '"', escape = '"', header = true, auto_detect = false,
    parallel = ${how !== 'serial'},
    columns = {${names.map((name) => `${name}: 'VARCHAR'`).join(', ')}})`)
// An empty cell is NULL here, and a column of nothing else has no sum.
const [records = 0, ...lengths] = (reader.getRows()[0] ?? []).map(Number)
const bytes = lengths.reduce((sum, length) => sum + length, 0)
process.stdout.write(`${JSON.stringify({ records, cells: records * names.length, bytes })}\n`)
