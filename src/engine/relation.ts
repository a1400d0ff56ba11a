/** The SQL by which a file becomes a typed relation. */
import { flatColumns, unescapeSql } from '../csv/flat.ts'
import type { Reading } from '../csv/read.ts'
import { quoteName } from '../identifiers.ts'
import type { Warning } from '../model.ts'
import type { Column } from './columns.ts'
import { type Check, checksOf } from './constraints.ts'
import { type Correction, uncorrectedSql } from './correction.ts'
import { quoteText } from './duckdb.ts'
import { linesSql } from './lines.ts'
import { isAnswered, nativeType } from './native.ts'
import { sqlTypeOf, valueSql } from './types.ts'

/** One file of an input, read and with its columns known. */
export interface Source {
  readonly input: string
  /** 0-based among the job's files. */
  readonly file: number
  readonly name: string
  readonly reading: Reading
  readonly columns: readonly Column[]
  readonly correction?: Correction | undefined
}

/** A source, and what there is to be told of it. */
export interface InputFile extends Source {
  readonly warnings: readonly Warning[]
  /** Columns of which no cell looks like the type that their table has for them. */
  readonly doubts?: readonly Doubt[]
}

/** A column that may be another one than that of the table, which only its values can tell. */
export interface Doubt {
  readonly column: Column
  readonly table: string
}

/**
 * The file as columns c0, c1, … Those of which the reader has seen that DuckDB reads every cell as it is meant are read as
 * their type at once, the others as text. An empty cell is NULL in both.
 */
export function scanSql({ reading, columns }: Source): string {
  const types = new Map(columns.map((column) => [column.position, nativeType(reading, column)]))
  const cells = reading.file.header.map((_, i) => [`c${i}`, types.get(i) ?? 'VARCHAR'] as const)
  const places = reading.layout === 'placed' ? flatColumns.map((name) => [name, 'BIGINT'] as const) : []
  return linesSql({ ...reading, columns: [...places, ...cells] })
}

/** The text of a column's cell, where it is read as text. */
export function cellSql(reading: Reading, position: number): string {
  // Not by `force_not_null`: DuckDB applies it to other columns when a query does not take them all.
  return `coalesce(${textSql(reading, position)}, '')`
}

/** The same, but NULL for an empty cell. */
export function textSql(reading: Reading, position: number): string {
  const text = `c${position}`
  return reading.escaped[position] === true ? unescapeSql(text) : text
}

/**
 * The file's cells with their typed values beside them, v0, v1, … A check that looks at a value costs no second cast:
 * DuckDB does not push a filter that may end the statement below the projection that makes the value.
 */
export function valuesSql(source: Source): string {
  const { reading, columns } = source
  const values = columns.flatMap((column) => {
    const { field, position } = column
    if (position === null) return []
    return [
      `${isAsRead(reading, column) ? textSql(reading, position) : valueSql(field, cellSql(reading, position))} AS v${position}`,
    ]
  })
  return `(SELECT ${['*', ...values].join(', ')} FROM ${scanSql(source)})`
}

/**
 * Whether what DuckDB reads is the value. That is so of text, too, that is missing where there is nothing: asking each
 * cell whether it is empty would take DuckDB minutes to plan for thousands of columns.
 */
function isAsRead(reading: Reading, column: Column): boolean {
  const { type, missingValues, keepsEmpty } = column.field
  const isText = type === 'string' && keepsEmpty !== false && missingValues.length === 1 && missingValues[0] === ''
  return isText || nativeType(reading, column) !== undefined
}

/** A column's typed value: NULL where the file does not have it. */
export function columnSql({ field, position }: Column): string {
  return position === null ? `NULL::${sqlTypeOf(field.type)}` : `v${position}`
}

/** The typed columns, all or some, under their names, of all records for which `where` holds. */
export function typedSql(source: Source, where?: string, columns: readonly Column[] = source.columns): string {
  const values = columns.map((column) => `${columnSql(column)} AS ${quoteName(column.field.name)}`)
  return `SELECT ${values.join(', ')} FROM ${valuesSql(source)}${where === undefined ? '' : ` WHERE ${where}`}`
}

/** A check of one column of a file. */
export interface ColumnCheck extends Check {
  readonly column: Column
  /** 0-based in the record. */
  readonly position: number
  /** SQL that is true for a record at fault. */
  readonly fault: string
}

/**
 * Everything that is asked of the cells of a file, the type of each before the rest; in a correction, whether the record was
 * corrected, before all.
 */
export function checksIn(source: Source): ColumnCheck[] {
  const { reading, columns } = source
  const ofColumns = columns.flatMap((column) => {
    const { field, position, inKey } = column
    if (position === null) return []
    const isNative = nativeType(reading, column) !== undefined
    const checks = checksOf(field, inKey).filter(({ key }) =>
      key === 'type' ? !isNative : !isAnswered(reading, column, key),
    )
    return checks.map((check): ColumnCheck => {
      const fault = check.broken(cellSql(reading, position), `v${position}`)
      return { ...check, column, position, fault }
    })
  })
  return [...correctedCheck(source), ...ofColumns]
}

function correctedCheck({ columns, correction }: Source): ColumnCheck[] {
  const [column] = columns.filter(({ position }) => position !== null)
  if (correction === undefined || column === undefined) return []
  const fault = uncorrectedSql(correction)
  const message = () => 'the record was not corrected: its cells are empty, and _raw has it as it stood'
  const position = column.position ?? 0
  return [{ key: 'corrected', code: 'missing-cell', broken: () => fault, message, column, position, fault }]
}

/**
 * True for a record that keeps the whole contract; undefined when every record is known to. A chain of CASE stops at the
 * first fault; AND would not.
 */
export function soundSql(source: Source): string | undefined {
  const faults = checksIn(source).map(({ fault }) => `WHEN ${fault} THEN false`)
  return faults.length === 0 ? undefined : `CASE ${faults.join(' ')} ELSE true END`
}

/** True for a sound record; any other ends the statement with `mark` as its error. */
export function guardSql(source: Source, mark: string): string | undefined {
  const sound = soundSql(source)
  return sound === undefined ? undefined : `CASE WHEN ${sound} THEN true ELSE error(${quoteText(mark)}) END`
}
