/**
 * The flat copy: a file with quoting, line breaks in values or records that do not fit, rewritten so that every record
 * is one line without any quoting. DuckDB then reads it in parallel and cannot be misled about what a record is.
 *
 * A line is the cells, separated by U+001F; in a placed copy `line, byte offset, byte length, record number` stand before
 * them. The bytes that would break this, inside values, are written as an escape and put back by `unescapeSql`. An empty
 * cell is nothing; where a column keeps its empty texts, one that is in quotes is an escape, too.
 */
import { escapeText, pieceLength } from './escape.ts'

export const flatDelimiter = '\u001f'

/** What stands before the cells on each line of a placed copy. */
export const flatColumns = ['line', 'byte_offset', 'byte_length', 'record'] as const

export const escapeMark = '\u001b'

/** A cell that is an empty text, and not nothing. */
export const keptEmpty = '\u001b5'

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
const everyEscape = new RegExp(`${escapeMark}.`, 'gs')
const meant = new Map<string, string>(escapes.map(([plain, escape]) => [escape, plain]))

export function escapeCell(cell: string): string {
  return escapeText(cell, special, written)
}

/** Undoes `escapeCell`, and makes of `keptEmpty` an empty text. */
export function unescapeCell(cell: string): string {
  if (!cell.includes(escapeMark)) return cell
  let text = ''
  let end = 0
  for (let at = 0; at < cell.length; at = end) {
    end = at + pieceLength
    // The two characters of an escape stay together.
    if (cell[end - 1] === escapeMark) end++
    text += cell.slice(at, end).replace(everyEscape, (escape) => meant.get(escape) ?? '')
  }
  return text
}

/** The SQL expression that undoes `escapeCell`, and makes of `keptEmpty` an empty text. */
export function unescapeSql(expression: string): string {
  return [['', keptEmpty] as const, ...escapes].reduce(
    (sql, [plain, escape]) => `replace(${sql}, '${escape}', '${plain}')`,
    expression,
  )
}
