/**
 * `node bench/peers/load-duckdb.ts FILE DATABASE TYPES MEMORY TEMP`: bare DuckDB, told what the columns are. The first
 * cell that its casts do not take ends it.
 */
import { DuckDBInstance } from '@duckdb/node-api'

const [file = '', database = '', types = '', memory = '', temp = ''] = process.argv.slice(2)

const instance = await DuckDBInstance.create(database, { memory_limit: memory, temp_directory: temp })
const connection = await instance.connect()
await connection.run(`CREATE OR REPLACE TABLE customers AS
  FROM read_csv('${file}', header = true, auto_detect = false, columns = ${types})`)
connection.closeSync()
instance.closeSync()
