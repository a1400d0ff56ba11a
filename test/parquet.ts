/** Rows in a Parquet file, by a DuckDB in memory that all of a process share: to make one takes longer than the file. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

let opening: Promise<DuckDBConnection> | undefined

/** @param columns as they stand in a CREATE TABLE. */
export async function saveParquet(
  path: string,
  columns: string,
  rows: readonly (readonly (string | null)[])[],
): Promise<void> {
  const connection = await (opening ??= DuckDBInstance.create(':memory:', { threads: '1' }).then((one) =>
    one.connect(),
  ))
  await connection.run(`CREATE OR REPLACE TABLE t (${columns})`)
  for (const row of rows) await connection.run(`INSERT INTO t VALUES (${row.map(() => '?').join(', ')})`, [...row])
  await connection.run(`COPY t TO '${path}' (FORMAT parquet)`)
}
