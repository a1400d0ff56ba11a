/** The SQL by which a file becomes a typed relation. */
import { flatColumns, flatDelimiter, unescapeSql } from '../csv/flat.ts'
import type { Reading } from '../csv/reading.ts'
import type { Column } from './columns.ts'
import { quoteName, quoteText } from './duckdb.ts'
import { typeSql } from './types.ts'

/** One file of an input, read and with its columns known. */
export interface Source {
  readonly input: string
  /** 0-based among the job's files. */
  readonly file: number
  readonly name: string
  readonly reading: Reading
  readonly columns: readonly Column[]
}

/**
 * The file as text columns c0, c1, … The settings are those under which DuckDB's reader decides nothing by itself; in
 * the plain layout a last column takes what a record has too much, and a record that has too little ends in NULL.
 */
export function scanSql({ layout, path, header, lineEnd, longest }: Reading): string {
  const cells = header.map((_, i) => `c${i}`)
  const names = layout === 'plain' ? [...cells, 'extra'] : [...flatColumns, ...cells]
  const options = {
    delim: quoteText(layout === 'plain' ? ',' : flatDelimiter),
    quote: "''",
    escape: "''",
    comment: "''",
    new_line: lineEnd === '\n' ? "'\\n'" : "'\\r\\n'",
    header: 'false',
    skip: layout === 'plain' ? '1' : '0',
    auto_detect: 'false',
    null_padding: String(layout === 'plain'),
    nullstr: 'chr(1)',
    // DuckDB's default or more: its buffers grow with it, and below it they would be small.
    max_line_size: String(Math.max(longest, 2_000_000)),
    hive_partitioning: 'false',
    columns: `{${names.map((name) => `'${name}': '${isNumber(name) ? 'BIGINT' : 'VARCHAR'}'`).join(', ')}}`,
  }
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  return `read_csv(${quoteText(path)}, ${list.join(', ')})`
}

function isNumber(name: string): boolean {
  return (flatColumns as readonly string[]).includes(name)
}

/** The text of a column's cell. */
export function cellSql(reading: Reading, position: number): string {
  return reading.escaped ? unescapeSql(`c${position}`) : `c${position}`
}

/**
 * The file's cells with their typed values beside them, v0, v1, … A check that looks at a value costs no second cast:
 * DuckDB does not push a filter that may end the statement below the projection that makes the value.
 */
export function valuesSql({ reading, columns }: Source): string {
  const values = columns.map(
    ({ type, position }) => `${typeSql(type).value(cellSql(reading, position))} AS v${position}`,
  )
  return `(SELECT *, ${values.join(', ')} FROM ${scanSql(reading)})`
}

/** The typed columns, under their names, of all records for which `where` holds. */
export function typedSql(source: Source, where?: string): string {
  const values = source.columns.map(({ name, position }) => `v${position} AS ${quoteName(name)}`)
  return `SELECT ${values.join(', ')} FROM ${valuesSql(source)}${where === undefined ? '' : ` WHERE ${where}`}`
}

/** For each reason why a record may not be sound, the SQL that is true when it is not. */
function faultsSql({ reading, columns }: Source): string[] {
  const ragged = reading.layout === 'plain' ? ['extra IS NOT NULL', `c${reading.header.length - 1} IS NULL`] : []
  const typed = columns
    .filter(({ type }) => type !== 'string')
    .map(({ type, position }) => `NOT (${typeSql(type).sound(cellSql(reading, position), `v${position}`)})`)
  return [...ragged, ...typed]
}

/** True for a record that keeps the whole contract. A chain of CASE stops at the first fault; AND would not. */
export function soundSql(source: Source): string {
  const faults = faultsSql(source)
  return faults.length === 0 ? 'true' : `CASE ${faults.map((sql) => `WHEN ${sql} THEN false`).join(' ')} ELSE true END`
}

/** True for a sound record; any other ends the statement with `mark` as its error. */
export function guardSql(source: Source, mark: string): string {
  return `CASE WHEN ${soundSql(source)} THEN true ELSE error(${quoteText(mark)}) END`
}
