/** What the SQL of a pipeline can name: its inputs, and the relations that always exist. */
import type { InputBalance } from '../model.ts'
import type { Job } from '../ports.ts'
import { type Database, quoteName } from './duckdb.ts'
import type { InputFile } from './inputs.ts'
import { typedSql } from './relation.ts'

/** Each input as a view over its files, with only the records that `where` lets through. */
export async function createInputViews(
  database: Database,
  files: readonly InputFile[],
  where: (file: InputFile) => string | undefined,
): Promise<void> {
  for (const [input, sources] of Map.groupBy(files, (file) => file.input)) {
    const selects = sources.map((source) => typedSql(source, where(source)))
    await database.run(`CREATE OR REPLACE VIEW ${quoteName(input)} AS ${selects.join(' UNION ALL ')}`)
  }
}

/** `files` and `columns`. (`rejects` is there from the start.) */
export async function createReservedRelations(
  database: Database,
  { now }: Pick<Job, 'now'>,
  files: readonly InputFile[],
  balanceOf: (file: InputFile) => InputBalance,
): Promise<void> {
  await database.run(`CREATE OR REPLACE TABLE files (
    input VARCHAR, name VARCHAR, bytes BIGINT, records BIGINT, rows BIGINT, rejected BIGINT, blank_lines BIGINT,
    columns VARCHAR[], read_at TIMESTAMP)`)
  await database.run(
    `CREATE OR REPLACE TABLE columns (input VARCHAR, file VARCHAR, position INTEGER, name VARCHAR, type VARCHAR)`,
  )
  for (const file of files) {
    const { records, accepted, rejected, blankLines } = balanceOf(file)
    // Names come in as values, and lists as JSON text: nothing of a user's is ever part of the SQL.
    await database.run(
      `INSERT INTO files SELECT $1, $2, $3::BIGINT, $4::BIGINT, $5::BIGINT, $6::BIGINT, $7::BIGINT, $8::JSON::VARCHAR[], epoch_ms($9::BIGINT)`,
      [
        file.input,
        file.name,
        ...[file.reading.facts.bytes, records, accepted, rejected, blankLines].map(String),
        JSON.stringify(file.reading.header),
        String(now),
      ],
    )
    for (const { name, type, position } of file.columns) {
      await database.run('INSERT INTO columns VALUES ($1, $2, $3::INTEGER, $4, $5)', [
        file.input,
        file.name,
        String(position + 1),
        name,
        type,
      ])
    }
  }
}

const sqlTypes = { string: 'VARCHAR', integer: 'BIGINT', number: 'DOUBLE', boolean: 'BOOLEAN' } as const

/** Params as DuckDB variables: `getvariable('name')`. Values, never text inside SQL. */
export async function setParams(database: Database, { params, pipeline }: Job): Promise<void> {
  for (const [name, value] of Object.entries(params)) {
    const type = pipeline.params[name]?.type ?? 'string'
    const sql = type === 'array' ? '$1::JSON::VARCHAR[]' : `($1::JSON ->> '$')::${sqlTypes[type]}`
    await database.run(`SET VARIABLE ${quoteName(name)} = ${sql}`, [JSON.stringify(value)])
  }
}
