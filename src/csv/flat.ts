/**
 * The flat copy: a file with quoting, line breaks in values or records that do not fit, rewritten so that every record
 * is one line without any quoting. DuckDB then reads it in parallel and cannot be misled about what a record is.
 *
 * A line is the cells, separated by U+001F; in a placed copy `line, byte offset, byte length, record number` stand before
 * them. The bytes that would break this, inside values, are written as an escape and put back by `unescapeSql`.
 */
export const flatDelimiter = '\u001f'

/** What stands before the cells on each line of a placed copy. */
export const flatColumns = ['line', 'byte_offset', 'byte_length', 'record'] as const

export const escapeMark = '\u001b'

const escapes = [
  ['\n', '\u001b1'],
  ['\r', '\u001b2'],
  [flatDelimiter, '\u001b3'],
  ['\u0001', '\u001b4'],
  // Last when reading back, first when writing: the escape mark itself.
  [escapeMark, '\u001b0'],
] as const

const special = `[${escapes.map(([plain]) => plain).join('')}]`
const someSpecial = new RegExp(special)
const everySpecial = new RegExp(special, 'g')
const written = new Map<string, string>(escapes)

/** Characters that are escaped at once: as a whole, a cell of many MiB of line ends would take a hundred times its size. */
const pieceLength = 1 << 16

export function escapeCell(cell: string): string {
  if (!someSpecial.test(cell)) return cell
  let text = ''
  for (let at = 0; at < cell.length; at += pieceLength) {
    text += cell.slice(at, at + pieceLength).replace(everySpecial, (plain) => written.get(plain) ?? plain)
  }
  return text
}

/** The SQL expression that undoes `escapeCell`. */
export function unescapeSql(expression: string): string {
  return escapes.reduce((sql, [plain, escape]) => `replace(${sql}, '${escape}', '${plain}')`, expression)
}
