/** Every row against the contract, and the counts reconciled. */
import type { DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import { AppError } from '../errors.ts'
import type { InputBalance, Pipeline, RejectPolicy, TaskError } from '../model.ts'
import { type Database, SqlError } from './duckdb.ts'
import type { Rejects } from './rejects.ts'
import { cellSql, type Source, soundSql, valuesSql } from './relation.ts'
import { typeSql } from './types.ts'

/**
 * How many records are not sound; undefined when DuckDB stumbles over the file, which for a plain one means that its
 * records do not fit the header.
 * @throws {AppError} internal, when DuckDB has seen other records than the reader.
 */
export async function countFaulty(database: Database, source: Source): Promise<number | undefined> {
  const { reading } = source
  try {
    const [row = []] = await database.rows(
      `SELECT count(*), count(*) FILTER (WHERE NOT (${soundSql(source)})) FROM ${valuesSql(source)}`,
    )
    const [seen, faulty] = row.map(Number)
    reconcile(source, seen ?? Number.NaN)
    return faulty
  } catch (error) {
    if (error instanceof SqlError && reading.layout === 'plain') return undefined
    throw error
  }
}

/** @throws {AppError} internal, unless the rows of the relation are the records that the reader let through. */
function reconcile({ name, reading }: Source, rows: number): void {
  const expected = reading.records - reading.rejected
  if (rows === expected) return
  throw new AppError('internal', 'Internal error', {
    cause: new Error(`${name}: the reader has ${expected} records to hand on, DuckDB has ${rows} rows`),
  })
}

/** Tells every value of a flat copy that is not what its column declares. */
export async function tellFaults(
  database: Database,
  source: Source,
  original: string,
  rejects: Rejects,
): Promise<void> {
  const { reading, columns } = source
  const typed = columns.filter(({ type }) => type !== 'string')
  const broken = typed.map(
    ({ type, position }, i) =>
      `CASE WHEN NOT (${typeSql(type).sound(cellSql(reading, position), `v${position}`)}) THEN ${i} END`,
  )
  const cells = reading.header.map((_, position) => cellSql(reading, position))
  const rows = database.stream(
    `SELECT line, byte_offset, byte_length, record, list_filter([${broken.join(', ')}], x -> x IS NOT NULL), [${cells.join(', ')}]
     FROM ${valuesSql(source)} WHERE NOT (${soundSql(source)})`,
  )
  const names = columns.toSorted((a, b) => a.position - b.position).map(({ name }) => name)
  const faulty = { input: source.input, file: source.file, name: source.name, path: original, columns: names }
  for await (const [line, byteOffset, byteLength, record, faults, texts] of rows) {
    const values = items(texts).map(String)
    for (const index of items(faults)) {
      const column = typed[Number(index)]
      if (column === undefined) continue
      await rejects.add(faulty, {
        line: Number(line),
        byteOffset: Number(byteOffset),
        byteLength: Number(byteLength),
        record: Number(record),
        column: column.name,
        code: 'type-error',
        message: `“${shorten(values[column.position] ?? '')}” is not ${typeSql(column.type).about}`,
        cells: values,
      })
    }
  }
}

function items(value: DuckDBValue | undefined): readonly DuckDBValue[] {
  return (value as DuckDBListValue).items
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** The error a run ends with when it has more rejects than the pipeline allows. */
export function verdictOf(
  { rejects: policy }: Pick<Pipeline, 'rejects'>,
  balances: Readonly<Record<string, InputBalance>>,
  rejects: Rejects,
): TaskError | null {
  const over = Object.entries(balances).find(([, balance]) => !allows(policy, balance))
  if (over === undefined) return null
  const [input, { records, rejected }] = over
  const first = rejects.firstOf(input)
  if (first === undefined) throw new Error(`input ${input} has ${rejected} rejects, none of which was told`)
  const { line, column, message } = first.fault
  const file = first.source.name
  return {
    code: 'rejected',
    message:
      `${file} line ${line}${column === null ? '' : `, column “${column}”`}: ${message}. ` +
      `${rejected} of ${records} records ${rejected === 1 ? 'is' : 'are'} rejected; nothing was delivered. ` +
      'The list of rejects names every one.',
    details: { input, file, line, column, records, rejected },
  }
}

/** Below 1 the most is a share of the input's records, from 1 on a count. */
function allows(policy: RejectPolicy, { records, rejected }: InputBalance): boolean {
  if (policy === 'keep') return true
  if (policy === 'fail') return rejected === 0
  // Divided, not multiplied: 29 of 100 is exactly the share that 0.29 means.
  return policy.max < 1 ? rejected === 0 || rejected / records <= policy.max : rejected <= policy.max
}
