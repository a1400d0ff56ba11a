/** `node bench/peers/summarize.ts FILE MEMORY TEMP`: DuckDB finds out what the columns are, and sums them up. */
import { DuckDBInstance } from '@duckdb/node-api'

const [file = '', memory = '', temp = ''] = process.argv.slice(2)

const instance = await DuckDBInstance.create(':memory:', { memory_limit: memory, temp_directory: temp })
const connection = await instance.connect()
const reader = await connection.runAndReadAll(`SUMMARIZE SELECT * FROM read_csv('${file}')`)
const columns = reader.getRowObjects()
process.stdout.write(`${JSON.stringify({ records: Number(columns[0]?.['count']), columns: columns.length })}\n`)
