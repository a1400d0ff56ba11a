/** Every row against the contract, and the counts reconciled. */
import type { DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import { excerpt } from '../csv/excerpt.ts'
import type { Reading } from '../csv/read.ts'
import { AppError } from '../errors.ts'
import type { TaskError } from '../model.ts'
import type { Pipeline, RejectPolicy } from '../definition.ts'
import type { InputBalance } from '../balances.ts'
import type { Database } from './duckdb.ts'
import { nameColumns } from './columns.ts'
import { uncorrectedSql } from './correction.ts'
import type { FaultySource, Rejects } from './rejects.ts'
import { checksIn, type InputFile, type Source, soundSql, textSql, valuesSql } from './relation.ts'

/**
 * How many records are not sound.
 * @throws {AppError} internal, when DuckDB has seen other records than the reader.
 */
export async function countFaulty(database: Database, source: Source): Promise<number> {
  const sound = soundSql(source) ?? 'true'
  const [row = []] = await database.rows(
    `SELECT count(*), count(*) FILTER (WHERE NOT (${sound})) FROM ${valuesSql(source)}`,
  )
  const [seen, faulty] = row.map(Number)
  reconcile(source, seen ?? Number.NaN)
  return faulty ?? 0
}

/** @throws {AppError} internal, unless the rows of the relation are the records that the reader let through. */
function reconcile({ name, reading }: Source, rows: number): void {
  const expected = reading.records - reading.rejected
  if (rows === expected) return
  throw new AppError('internal', 'Internal error', {
    cause: new Error(`${name}: the reader has ${expected} records to hand on, DuckDB has ${rows} rows`),
  })
}

/** Tells every fault of the cells of a flat copy. A cell that is not of its type is told for that alone. */
export async function tellFaults(database: Database, source: InputFile, rejects: Rejects): Promise<void> {
  const { reading } = source
  const checks = checksIn(source)
  const broken = checks.map(({ fault, column }, i) => {
    const type = checks.find((other) => other.column === column && other.key === 'type')
    return type === undefined || type.fault === fault
      ? `CASE WHEN ${fault} THEN ${i} END`
      : `CASE WHEN ${type.fault} THEN NULL WHEN ${fault} THEN ${i} END`
  })
  const list = `list_filter([${broken.join(', ')}], x -> x IS NOT NULL)`
  // Of a record that was not corrected, nothing else is said.
  const { correction } = source
  const told = correction === undefined ? list : `CASE WHEN ${uncorrectedSql(correction)} THEN [0] ELSE ${list} END`
  const rows = database.stream(
    `SELECT line, byte_offset, byte_length, record, ${told}, ${cellsSql(reading)}
     FROM ${valuesSql(source)} WHERE NOT (${soundSql(source) ?? 'true'})`,
  )
  const faulty = faultySource(source)
  for await (const [line, byteOffset, byteLength, record, faults, texts] of rows) {
    const values = cellsOf(texts)
    for (const index of items(faults)) {
      const check = checks[Number(index)]
      if (check === undefined) continue
      await rejects.add(faulty, {
        line: Number(line),
        byteOffset: Number(byteOffset),
        byteLength: Number(byteLength),
        record: Number(record),
        column: check.column.field.name,
        code: check.code,
        message: check.message(excerpt(values[check.position] ?? '')),
        cells: values,
      })
    }
  }
}

/** A file as its rejects name it. */
export function faultySource({ input, file, name, reading }: InputFile): FaultySource {
  const columns = nameColumns(reading.file.header).columns.map((one) => one.field.name)
  return { input, file, name, text: reading.file, columns }
}

/** The texts of all cells of a record, for `cellsOf`: a U+FEFF at the beginning of a text would be lost on the way. */
export function cellsSql(reading: Reading): string {
  return `[${reading.file.header.map((_, position) => `coalesce('=' || ${textSql(reading, position)}, '')`).join(', ')}]`
}

export function cellsOf(texts: DuckDBValue | undefined): (string | null)[] {
  return items(texts).map((text) => (text === '' ? null : String(text).slice(1)))
}

function items(value: DuckDBValue | undefined): readonly DuckDBValue[] {
  return (value as DuckDBListValue).items
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
