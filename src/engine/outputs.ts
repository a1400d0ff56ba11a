/** From a pipeline's SELECT to a file. */
import { DuckDBTypeId, StatementType } from '@duckdb/node-api'
import { AppError } from '../errors.ts'
import type { OutputSpec } from '../model.ts'
import { type Database, quoteText, SqlError } from './duckdb.ts'

/**
 * The COPY that writes an output.
 * @throws {AppError} unprocessable, when the SQL is anything but one SELECT that DuckDB can plan.
 */
export async function copySql(database: Database, name: string, spec: OutputSpec, path: string): Promise<string> {
  const sql = spec.sql.trim().replace(/;$/, '')
  const columns = await selectColumns(database, name, sql)
  switch (spec.format) {
    case 'csv':
      return `COPY (${sql}\n) TO ${quoteText(path)} (FORMAT csv, HEADER true)`
    case 'parquet':
      return `COPY (${sql}\n) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`
    case 'ndjson':
      // JSON escapes every control character, so this text has none and the CSV writer passes it on as it is.
      return `COPY (${ndjsonSql(sql, columns)}) TO ${quoteText(path)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u001f')`
  }
}

interface ResultColumn {
  readonly name: string
  readonly type: DuckDBTypeId
}

/** What the SELECT gives back. */
export async function selectColumns(database: Database, name: string, sql: string): Promise<ResultColumn[]> {
  try {
    const statements = await database.connection.extractStatements(sql)
    const statement = statements.count === 1 ? await statements.prepare(0) : undefined
    if (statement?.statementType !== StatementType.SELECT) throw new SqlError('the SQL must be exactly one SELECT')
    return Array.from({ length: statement.columnCount }, (_, i) => ({
      name: statement.columnName(i),
      type: statement.columnTypeId(i),
    }))
  } catch (error) {
    throw blame(name, error)
  }
}

/** SQL that does not run is the fault of the pipeline; its author is shown what DuckDB says. */
export function blame(output: string, error: unknown): unknown {
  if (error instanceof AppError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new AppError('unprocessable', `The SQL of output “${output}” does not work: ${message}`, {
    cause: error,
    details: { output },
  })
}

const wholeNumbers: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
])

/**
 * One JSON object a line, as text of our own: JSON readers keep numbers as doubles, so an integer beyond 2^53 becomes a
 * string, and a decimal is written digit by digit, which DuckDB's own writer does not do.
 */
function ndjsonSql(sql: string, columns: readonly ResultColumn[]): string {
  const aliases = columns.map((_, i) => `v${i}`)
  const members = columns.map(({ name, type }, i) => {
    const label = quoteText(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    return `${label} || coalesce(${jsonText(`v${i}`, type)}, 'null')`
  })
  return `SELECT ${members.join(' || ')} || '}' FROM (${sql}\n) AS output(${aliases.join(', ')})`
}

function jsonText(value: string, type: DuckDBTypeId): string {
  const most = 2 ** 53 - 1
  if (type === DuckDBTypeId.DECIMAL) return `${value}::VARCHAR`
  if (!wholeNumbers.has(type)) return `to_json(${value})::VARCHAR`
  return `CASE WHEN ${value} BETWEEN -${most} AND ${most} THEN ${value}::VARCHAR ELSE '"' || ${value}::VARCHAR || '"' END`
}

/** Writes the output; says how many rows it has. */
export async function writeOutput(database: Database, name: string, copy: string): Promise<number> {
  try {
    const [row] = await database.rows(copy)
    return Number(row?.[0])
  } catch (error) {
    throw blame(name, error)
  }
}

interface Operator {
  readonly operator_name?: string
  readonly operator_cardinality?: number
  readonly extra_info?: Readonly<Record<string, unknown>>
  readonly children?: readonly Operator[]
}

/**
 * Writes the output and says what the plan, as executed, has counted: the rows written, and for each mark the rows that
 * a scan has given to the filter with that mark and all of which have passed it; -1 where there is no such filter.
 */
export async function writeCounted(
  database: Database,
  copy: string,
  marks: readonly string[],
): Promise<{ rows: number; passed: readonly number[] }> {
  const [row] = await database.rows(`EXPLAIN (ANALYZE, FORMAT json) ${copy}`)
  const operators = [...walk(JSON.parse(String(row?.[1])) as Operator)]
  const writer = operators.find(({ operator_name: name }) => name?.includes('COPY_TO_FILE'))
  const filters = operators.filter(({ operator_name: name }) => name === 'FILTER')
  const passed = marks.map((mark) => {
    const guards = filters.filter(({ extra_info: info }) => JSON.stringify(info).includes(mark))
    return Math.max(-1, ...guards.map(rowsThrough))
  })
  return { rows: writer?.children?.[0]?.operator_cardinality ?? Number.NaN, passed }
}

function rowsThrough(filter: Operator): number {
  const scans = [...walk(filter)].filter(({ operator_name: name }) => name === 'READ_CSV')
  const rows = filter.operator_cardinality ?? -1
  return scans.length === 1 && scans[0]?.operator_cardinality === rows ? rows : -1
}

function* walk(operator: Operator): Generator<Operator> {
  yield operator
  for (const child of operator.children ?? []) yield* walk(child)
}
