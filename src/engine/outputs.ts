/** From a pipeline's SELECT to a file. */
import { readFile } from 'node:fs/promises'
import { DuckDBTypeId, StatementType } from '@duckdb/node-api'
import { AppError } from '../errors.ts'
import { quoteName } from '../identifiers.ts'
import type { Warning } from '../model.ts'
import type { FileSpec } from '../definition.ts'
import type { JobTarget, ProducedFile } from '../job.ts'
import { type Database, quoteText, SqlError } from './duckdb.ts'
import { columnTypeOf, placedSql, type ResultColumn, tabbedSql } from './rows.ts'
import { placeColumns } from './target.ts'

/**
 * The COPY that writes an output.
 * @throws {AppError} unprocessable, when the SQL is anything but one SELECT that DuckDB can plan.
 */
export async function copySql(
  database: Database,
  name: string,
  spec: FileSpec | TableRows,
  path: string,
): Promise<Copy> {
  const sql = bareSql(spec.sql)
  const columns = await selectColumns(database, name, sql)
  refuseTwins(name, columns)
  const into = `TO ${quoteText(path)}`
  // Without quotes and escapes DuckDB writes a text as it stands.
  const asText = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u001f')"
  if ('target' in spec) {
    const { columns: placed, warnings } = placeColumns(
      spec.target,
      columns.map((column) => ({ name: column.name, type: columnTypeOf(column.type) })),
    )
    const copies = {
      tabbed: () => `COPY (${tabbedSql(sql, columns, placed)}) ${into} ${asText}`,
      parquet: () => `COPY (${placedSql(sql, columns, placed)}) ${into} (FORMAT parquet, COMPRESSION uncompressed)`,
      csv: () => `COPY (${csvSql(placedSql(sql, columns, placed), placed)}\n) ${into} (FORMAT csv, HEADER true)`,
    }
    const produced = placed.map(({ name: own, type, isThere }) => ({ name: own, type, isThere }))
    return { sql: copies[spec.target.rows](), format: spec.target.rows, columns: produced, warnings }
  }
  const { format } = spec
  const copies = {
    csv: () => `COPY (${csvSql(sql, columns)}\n) ${into} (FORMAT csv, HEADER true)`,
    parquet: () => `COPY (${sql}\n) ${into} (FORMAT parquet, COMPRESSION zstd)`,
    ndjson: () => `COPY (${ndjsonSql(sql, columns)}) ${into} ${asText}`,
  }
  return { sql: copies[format](), format, warnings: [] }
}

/** A statement, and what it writes. */
export interface Copy extends Pick<ProducedFile, 'format' | 'columns'> {
  readonly sql: string
  readonly warnings: readonly Warning[]
}

/** An output for a table, and that table. */
export interface TableRows {
  readonly sql: string
  readonly target: JobTarget
}

/** Behind the semicolon there can only be more semicolons and comments, or it would be more than one statement. */
function bareSql(sql: string): string {
  return sql.replace(/;(\s|;|--[^\n]*(\n|$))*$/, '')
}

/** CSV would number them and JSON lose one: in every format, a column has a name of its own. */
function refuseTwins(output: string, columns: readonly ResultColumn[]): void {
  const twin = columns.find(({ name }, i) => columns.findIndex((other) => other.name === name) !== i)
  if (twin === undefined) return
  throw new AppError(
    'unprocessable',
    `Output “${output}” has two columns named “${twin.name}”. Give one another name with AS.`,
    {
      details: { output, column: twin.name },
    },
  )
}

/** A null alone on its line would be a blank line, which is no record: there, and only there, it is written as "". */
function csvSql(sql: string, [column, ...others]: readonly { readonly name: string }[]): string {
  if (column === undefined || others.length > 0) return sql
  return `SELECT coalesce(v::VARCHAR, '') AS ${quoteName(column.name)} FROM (${sql}\n) AS output(v)`
}

/** What the SELECT gives back. */
export async function selectColumns(database: Database, name: string, sql: string): Promise<ResultColumn[]> {
  try {
    const statements = await database.connection.extractStatements(sql)
    const statement = statements.count === 1 ? await statements.prepare(0) : undefined
    if (statement?.statementType !== StatementType.SELECT) throw new SqlError('the SQL must be exactly one SELECT')
    return Array.from({ length: statement.columnCount }, (_, i) => ({
      name: statement.columnName(i),
      type: statement.columnType(i),
    }))
  } catch (error) {
    throw blame(name, error)
  }
}

/** SQL that does not run is the fault of the pipeline; its author is shown what DuckDB says. */
function blame(output: string, error: unknown): unknown {
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
  DuckDBTypeId.BIGNUM,
])

const fractions: ReadonlySet<DuckDBTypeId> = new Set([DuckDBTypeId.DOUBLE, DuckDBTypeId.FLOAT])

/**
 * One JSON object a line, as text of our own: JSON readers keep numbers as doubles, so an integer beyond 2^53 becomes a
 * string, and a decimal is written digit by digit, which DuckDB's own writer does not do.
 */
function ndjsonSql(sql: string, columns: readonly ResultColumn[]): string {
  const aliases = columns.map((_, i) => `v${i}`)
  const members = columns.map(({ name, type }, i) => {
    const label = quoteText(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    return `${label} || coalesce(${jsonText(`v${i}`, type.typeId)}, 'null')`
  })
  return `SELECT ${members.join(' || ')} || '}' FROM (${sql}\n) AS output(${aliases.join(', ')})`
}

function jsonText(value: string, type: DuckDBTypeId): string {
  const most = 2 ** 53 - 1
  const text = `${value}::VARCHAR`
  const orText = (holds: string) => `CASE WHEN ${holds} THEN ${text} ELSE '"' || ${text} || '"' END`
  if (type === DuckDBTypeId.DECIMAL) return text
  if (wholeNumbers.has(type)) return orText(`TRY_CAST(${value} AS BIGINT) BETWEEN -${most} AND ${most}`)
  // JSON has no word for infinity, nor for what is not a number.
  return fractions.has(type) ? orText(`isfinite(${value})`) : `to_json(${value})::VARCHAR`
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

/** How a file is known in a plan: by its path, and by the error of the filter that guards it, where one does. */
export interface Counted {
  readonly path: string
  readonly mark: string | undefined
}

/**
 * Writes the output and says what the plan, as executed, has counted: the rows written, and for each file the rows that
 * every scan of it has given, and that have all passed the filter with its mark; -1 where that is not so.
 * `plan` is where the database leaves its plans.
 */
export async function writeCounted(
  database: Database,
  copy: string,
  plan: string,
  files: readonly Counted[],
): Promise<{ rows: number; passed: readonly number[] }> {
  const [row] = await database.rows(copy)
  const operators = [...walk(JSON.parse(await readFile(plan, 'utf8')) as Operator)]
  const filters = operators.filter(({ operator_name: name }) => name === 'FILTER')
  const passed = files.map(({ path, mark }) => {
    if (mark === undefined) return rowsOf(scansIn(operators, path))
    const guards = filters.filter(({ extra_info: info }) => JSON.stringify(info).includes(mark))
    return Math.max(-1, ...guards.map((guard) => rowsThrough(guard, path)))
  })
  return { rows: Number(row?.[0]), passed }
}

function rowsThrough(filter: Operator, path: string): number {
  const rows = rowsOf(scansIn([...walk(filter)], path))
  return filter.operator_cardinality === rows ? rows : -1
}

function scansIn(operators: readonly Operator[], path: string): Operator[] {
  return operators.filter(
    ({ operator_name: name, extra_info: info }) => name === 'READ_CSV' && info?.['Filename(s)'] === path,
  )
}

/** What every one of the scans has given; -1 where they differ, and where there is none. */
function rowsOf(scans: readonly Operator[]): number {
  const [first, ...others] = scans.map(({ operator_cardinality: rows }) => rows ?? -1)
  return first !== undefined && others.every((rows) => rows === first) ? first : -1
}

function* walk(operator: Operator): Generator<Operator> {
  yield operator
  for (const child of operator.children ?? []) yield* walk(child)
}
