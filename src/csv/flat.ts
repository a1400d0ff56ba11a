/**
 * The flat copy: a file with quoting, line breaks in values or records that do not fit, rewritten so that every record
 * is one line without any quoting. DuckDB then reads it in parallel and cannot be misled about what a record is.
 *
 * A line is `line, byte offset, byte length, record number, cells…`, separated by U+001F. The bytes that would break
 * this, inside values, are written as an escape and put back by `unescapeSql`.
 */
export const flatDelimiter = '\u001f'

/** What stands before the cells on each line. */
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

const special = new RegExp(`[${escapes.map(([plain]) => plain).join('')}]`, 'g')
const written = new Map<string, string>(escapes)

export function escapeCell(cell: string): string {
  return cell.replace(special, (plain) => written.get(plain) ?? plain)
}

/** The SQL expression that undoes `escapeCell`. */
export function unescapeSql(expression: string): string {
  return escapes.reduce((sql, [plain, escape]) => `replace(${sql}, ${chars(escape)}, ${chars(plain)})`, expression)
}

function chars(text: string): string {
  return Array.from(text, (char) => `chr(${char.charCodeAt(0)})`).join(' || ')
}
