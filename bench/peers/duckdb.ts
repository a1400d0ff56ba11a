/**
 * `node bench/peers/duckdb.ts FILE OUTPUT SQL MEMORY TEMP`: bare DuckDB, told what the columns are. It takes whatever its
 * casts take and checks nothing else.
 */
import { DuckDBInstance } from '@duckdb/node-api'

const [file = '', output = '', sql = '', memory = '', temp = ''] = process.argv.slice(2)

const instance = await DuckDBInstance.create(':memory:', { memory_limit: memory, temp_directory: temp })
const connection = await instance.connect()
await connection.run(`CREATE VIEW plays AS FROM read_csv('${file}', header = true, auto_detect = false,
  columns = {'Song': 'VARCHAR', 'Date': 'DATE', 'Number of Plays': 'BIGINT'})`)
await connection.run(`COPY (${sql}) TO '${output}' (FORMAT csv, HEADER true)`)
