/** DuckDB: its own `CREATE TABLE AS` over `read_csv` is the floor. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { columns, contentsSql, createTable, digestDigits } from '../customers.ts'
import { childMemory, peer } from '../measure.ts'
import { type Database, rowmillLoader } from './database.ts'

const sumSql = contentsSql(
  (column) => `${column}::text`,
  (text) => `('0x' || left(md5(${text}), ${digestDigits}))::bigint`,
)

/** @param path of the file, which is made anew for each run. */
export function openDuckdb(path: string): Database {
  const types = `{${Object.entries(columns)
    .map(([name, type]) => `${name}: '${type}'`)
    .join(', ')}}`
  return {
    program: undefined,
    packages: [],
    loaders: [
      {
        name: 'bare DuckDB',
        command: (file, folder) => peer('load-duckdb', file, path, types, childMemory(), join(folder, 'spill')),
      },
      rowmillLoader(`duckdb:${path}`),
    ],
    leftOut: [],
    async renew() {
      for (const suffix of ['', '.wal']) await rm(path + suffix, { force: true })
      await ask(path, createTable)
    },
    async contents() {
      const [rows, sum] = await ask(path, sumSql)
      return { rows: Number(rows), sum: BigInt(String(sum)) }
    },
  }
}

/** The first row of what a statement answers. */
async function ask(path: string, statement: string): Promise<readonly unknown[]> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(statement)).getRows()[0] ?? []
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
