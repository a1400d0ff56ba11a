/**
 * `node bench/peers/load-insert.ts FILE URL`: the script that one would write with Node: csv-parse, and INSERTs of a
 * thousand rows each, all in one transaction. Whatever PostgreSQL does not take ends it.
 */
import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import pg from 'pg'

const most = 1000
const [file = '', url = ''] = process.argv.slice(2)

const client = new pg.Client(url)
await client.connect()
await client.query('BEGIN')
let records: string[][] = []
const parser = createReadStream(file, { highWaterMark: 1 << 18 }).pipe(parse({ from_line: 2 }))
for await (const record of parser as AsyncIterable<string[]>) {
  if (records.push(record) < most) continue
  await insert(records)
  records = []
}
if (records.length > 0) await insert(records)
await client.query('COMMIT')
await client.end()

async function insert(rows: readonly string[][]): Promise<void> {
  let number = 0
  const places = rows.map((row) => `(${row.map(() => `$${++number}`).join()})`)
  const values = rows.flat().map((cell) => (cell === '' ? null : cell))
  // By its name, a statement is prepared once.
  await client.query({ name: `of ${rows.length}`, text: `INSERT INTO customers VALUES ${places.join()}`, values })
}
