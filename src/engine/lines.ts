/** Lines of plain cells, as DuckDB reads them. */
import { quoteText } from './duckdb.ts'

export interface Lines {
  readonly path: string
  readonly delimiter: string
  readonly lineEnd: '\n' | '\r\n'
  /** Lines that are left out at the beginning. */
  readonly skip: number
  /** No line has more bytes. */
  readonly longest: number
  /** Name → DuckDB's type. */
  readonly columns: readonly (readonly [name: string, type: string])[]
}

/**
 * The settings are those under which DuckDB's reader decides nothing by itself. An empty cell is NULL, whatever its type.
 */
export function linesSql({ path, delimiter, lineEnd, skip, longest, columns }: Lines): string {
  const { line, buffer } = sizesFor(longest)
  const options = {
    delim: quoteText(delimiter),
    quote: "''",
    escape: "''",
    comment: "''",
    new_line: lineEnd === '\n' ? "'\\n'" : "'\\r\\n'",
    header: 'false',
    skip: String(skip),
    auto_detect: 'false',
    null_padding: 'false',
    nullstr: "''",
    max_line_size: String(line),
    buffer_size: String(buffer),
    hive_partitioning: 'false',
    columns: `{${columns.map(([name, type]) => `'${name}': '${type}'`).join(', ')}}`,
  }
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  return `read_csv(${quoteText(path)}, ${list.join(', ')})`
}

/** DuckDB's defaults. */
const usual = { line: 2_000_000, buffer: 32_000_000 }

/**
 * A buffer holds sixteen lines of the greatest size where nothing is said, and several are in use at once: with lines of
 * 30 MB that is more than all the memory that a task may have. Two lines are enough. DuckDB divides a buffer into
 * stretches of a quarter, or of a line if that is longer, and demands that they come out even.
 */
function sizesFor(longest: number): typeof usual {
  if (longest <= usual.buffer / 4) return { ...usual, line: Math.max(longest, usual.line) }
  const line = Math.ceil(longest / 16) * 16
  return { line, buffer: 2 * line }
}
