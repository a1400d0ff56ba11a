/**
 * Tabbed text: rows as PostgreSQL's `COPY … FROM STDIN` and the `LOAD DATA` of MySQL and MariaDB take them when nothing
 * else is said, the same bytes for all. Values are separated by tabs, and each row ends with a line feed. Within a value a
 * backslash, a tab and the line ends are written as a backslash and a letter; every other byte stands as it is. So a line
 * feed always ends a row. NULL is `\N`, which no value can be, as its backslash would be doubled; the empty text is
 * nothing between two tabs.
 *
 * https://www.postgresql.org/docs/current/sql-copy.html (Text Format)
 * https://dev.mysql.com/doc/refman/8.4/en/load-data.html (Field and Line Handling)
 * https://mariadb.com/kb/en/load-data-infile/
 */
import { escapeText, pieceLength } from './escape.ts'

const delimiter = '\t'
const nullValue = '\\N'

const special = /[\\\t\n\r]/g
const escapes = new Map([
  ['\\', '\\\\'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
])
const plain = new Map(Array.from(escapes, ([character, escape]) => [escape, character]))

/** A row, its line feed included. */
export function tabbedLine(values: readonly (string | null)[]): string {
  const written = values.map((value) => (value === null ? nullValue : escapeText(value, special, escapes)))
  return `${written.join(delimiter)}\n`
}

/** The values of a row as `tabbedLine` has written it, given without its line feed. */
export function parseTabbed(line: string): (string | null)[] {
  const cells = line.split(delimiter)
  return line.includes('\\') ? cells.map(valueOf) : cells
}

function valueOf(cell: string): string | null {
  if (!cell.includes('\\')) return cell
  if (cell === nullValue) return null
  let value = ''
  for (let at = 0, held = 0; at < cell.length; at += pieceLength - held) {
    held = 0
    value += cell.slice(at, at + pieceLength).replace(/\\.?/gs, (escape) => {
      // A backslash at the end of a piece belongs to the next.
      if (escape.length === 1) held = 1
      return plain.get(escape) ?? escape.slice(1)
    })
  }
  return value
}
