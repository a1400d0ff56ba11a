/** What the SQL of a pipeline can name: its inputs, and the relations that always exist. */
import { quoteName } from '../identifiers.ts'
import type { InputBalance } from '../balances.ts'
import type { Job } from '../job.ts'
import { type Database } from './duckdb.ts'
import { type Source, typedSql } from './relation.ts'

/** Each input as a view over its files, with only the records that `where` lets through. */
export async function createInputViews<File extends Source>(
  database: Database,
  files: readonly File[],
  where: (file: File) => string | undefined,
): Promise<void> {
  for (const [input, sources] of Map.groupBy(files, (file) => file.input)) {
    const selects = sources.map((source) => typedSql(source, where(source)))
    await database.run(`CREATE OR REPLACE VIEW ${quoteName(input)} AS ${selects.join(' UNION ALL ')}`)
  }
}

/** `files`. (`rejects` is there from the start.) */
export async function createFilesRelation<File extends Source>(
  database: Database,
  { now }: Pick<Job, 'now'>,
  files: readonly File[],
  balanceOf: (file: File) => InputBalance,
): Promise<void> {
  await database.run(`CREATE OR REPLACE TABLE files (
    input VARCHAR, name VARCHAR, bytes BIGINT, records BIGINT, rows BIGINT, rejected BIGINT, blank_lines BIGINT,
    columns VARCHAR[], read_at TIMESTAMP)`)
  for (const file of files) {
    const { records, accepted, rejected, blankLines } = balanceOf(file)
    // Names come in as values, and lists as JSON text: nothing of a user's is ever part of the SQL.
    await database.run(
      `INSERT INTO files SELECT $1, $2, $3::BIGINT, $4::BIGINT, $5::BIGINT, $6::BIGINT, $7::BIGINT, $8::JSON::VARCHAR[], epoch_ms($9::BIGINT)`,
      [
        file.input,
        file.name,
        ...[file.reading.file.bytes, records, accepted, rejected, blankLines].map(String),
        JSON.stringify(file.reading.file.header),
        String(now),
      ],
    )
  }
}

const sqlTypes = { string: 'VARCHAR', integer: 'BIGINT', number: 'DOUBLE', boolean: 'BOOLEAN' } as const

/** Params as DuckDB variables: `getvariable('name')`. Values, never text inside SQL. */
export async function setParams(database: Database, { params, pipeline }: Job): Promise<void> {
  for (const [name, value] of Object.entries(params)) {
    const type = pipeline.params[name]?.type
    // The others say how files are read, and are no concern of the SQL.
    if (type === undefined) continue
    const sql = type === 'array' ? '$1::JSON::VARCHAR[]' : `($1::JSON ->> '$')::${sqlTypes[type]}`
    await database.run(`SET VARIABLE ${quoteName(name)} = ${sql}`, [JSON.stringify(value)])
  }
}
