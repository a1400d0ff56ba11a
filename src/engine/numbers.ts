/**
 * Numbers as people write them. DuckDB's own casts take more than people mean (`1.5` and `1e5` as integers, `1_000`),
 * and know nothing of groups and decimal commas, so each cell must have the declared form before it is cast.
 */
import type { Field } from '../table-schema.ts'
import { type CellReading, charPattern, matching } from './cells.ts'
import { quoteText } from './duckdb.ts'

type Style = Pick<Field, 'decimalChar' | 'groupChar' | 'bareNumber'>

export function integerReading(style: Style): CellReading {
  const sqlType = 'BIGINT'
  const isPlain = style.groupChar === undefined && style.bareNumber !== false
  return {
    sqlType,
    about: `an integer of at most 64 bits${styleText({ ...style, decimalChar: undefined })}`,
    value: (cell) => castSql(style, cell, sqlType),
    // A value that reads back as it was written is plain; only the others pay for the pattern.
    ...(isPlain && { quick: (cell, value) => `${value}::VARCHAR = ${cell}` }),
    strict: (cell, value) => matching(`[+-]?${digits(style)}`, bareSql(style, cell), `${value} IS NOT NULL`),
  }
}

export function numberReading(style: Style): CellReading {
  const sqlType = 'DOUBLE'
  const point = charPattern(style.decimalChar ?? '.')
  return {
    sqlType,
    about: `a number${styleText(style)}`,
    value: (cell) => castSql(style, cell, sqlType),
    // What is too big would be infinite, and what is too small nothing at all.
    strict: (cell, value) => {
      const bare = bareSql(style, cell)
      const held = `CASE WHEN isfinite(${value}) AND (${value} <> 0 OR NOT regexp_matches(${bare}, '^[^eE]*[1-9]')) THEN true ELSE false END`
      const form = `[+-]?(${digits(style)}(${point}[0-9]*)?|${point}[0-9]+)([eE][+-]?[0-9]+)?`
      return matching(form, bare, held)
    },
  }
}

/** `decimal(18,2)`: no more digits than it holds, so that no cast can round. */
export function decimalReading(type: string, style: Style): CellReading {
  const [precision = 38, scale = 0] = (type.match(/\d+/g) ?? []).map(Number)
  const sqlType = `DECIMAL(${precision}, ${scale})`
  const point = charPattern(style.decimalChar ?? '.')
  const fraction = scale === 0 ? `(${point}0*)?` : `(${point}[0-9]{0,${scale}}0*)?`
  return {
    sqlType,
    about: `a decimal number of at most ${precision - scale} digits before and ${scale} behind the point${styleText(style)}`,
    value: (cell) => castSql(style, cell, sqlType),
    strict: (cell, value) => matching(`[+-]?${digits(style)}${fraction}`, bareSql(style, cell), `${value} IS NOT NULL`),
  }
}

/**
 * Digits before the point: without groups, or in groups that are well-formed and do not begin with a zero, or `0.001`
 * would be 1 in a column of German numbers.
 */
function digits({ groupChar }: Style): string {
  return groupChar === undefined ? '[0-9]+' : `([0-9]+|[1-9][0-9]{0,2}(${charPattern(groupChar)}[0-9]{3})+)`
}

function castSql(style: Style, cell: string, sqlType: string): string {
  const { decimalChar = '.', groupChar } = style
  const bare = bareSql(style, cell)
  const joined = groupChar === undefined ? bare : `replace(${bare}, ${quoteText(groupChar)}, '')`
  const pointed = decimalChar === '.' ? joined : `replace(${joined}, ${quoteText(decimalChar)}, '.')`
  return `TRY_CAST(${pointed} AS ${sqlType})`
}

/**
 * The cell without the one sign that may stand before or behind the number: a currency's (€, EUR), percent or per
 * mille. Any other text stays, and makes the cell no number: what “5 m” or “(5)” mean is not for us to say.
 */
function bareSql({ bareNumber, decimalChar = '.' }: Style, cell: string): string {
  if (bareNumber !== false) return cell
  const unit = '(?:\\p{Sc}|[A-Z]{3}|%|‰)'
  const space = '[ \\x{a0}\\x{202f}]?'
  const number = `[0-9${charPattern(decimalChar)}].*`
  const form = `^(?:([+-]?)${unit}${space}([+-]?)(${number})|([+-]?)(${number}?)${space}${unit})$`
  return `regexp_replace(${cell}, '${form}', '\\1\\2\\3\\4\\5')`
}

function styleText({ decimalChar = '.', groupChar, bareNumber }: Style): string {
  const parts = [
    ...(groupChar === undefined ? [] : [`groups of three digits apart by “${groupChar}”`]),
    ...(decimalChar === '.' ? [] : [`a decimal “${decimalChar}”`]),
    ...(bareNumber === false ? ['at most one sign of a currency or percent'] : []),
  ]
  return parts.length === 0 ? '' : `, with ${parts.join(' and ')}`
}
