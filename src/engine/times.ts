/**
 * Dates and times. The forms are strict: DuckDB reads `2020/1/2` as a date and `1.2.2020` under `%d.%m.%Y`, so a value
 * counts only when it is written again the way it was read.
 */
import type { Field } from '../table-schema.ts'
import { matching, type CellReading } from './cells.ts'
import { quoteText } from './duckdb.ts'

const zonePattern = '(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)'
const clockPattern = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?'
const momentPattern = `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]${clockPattern}`

export function dateReading({ format }: Pick<Field, 'format'>): CellReading {
  if (format === undefined) {
    return {
      sqlType: 'DATE',
      about: 'a date (YYYY-MM-DD)',
      value: (cell) => `TRY_CAST(${cell} AS DATE)`,
      // “infinity” and years before Christ read back as they are written, too.
      quick: (cell, value) => `${value}::VARCHAR = ${cell} AND length(${cell}) = 10`,
      strict: () => 'false',
    }
  }
  const pattern = quoteText(format)
  return {
    sqlType: 'DATE',
    about: `a date (${format})`,
    value: (cell) => `CAST(try_strptime(${cell}, ${pattern}) AS DATE)`,
    strict: (cell, value) => yearSql(value, `strftime(${value}, ${pattern}) = ${cell}`),
  }
}

export function timeReading({ format }: Pick<Field, 'format'>): CellReading {
  if (format === undefined) {
    return {
      sqlType: 'TIME',
      about: 'a time of day (hh:mm:ss)',
      value: (cell) => `TRY_CAST(${cell} AS TIME)`,
      strict: (cell, value) => matching(clockPattern, cell, `${value} IS NOT NULL`),
    }
  }
  const pattern = quoteText(format)
  return {
    sqlType: 'TIME',
    about: `a time of day (${format})`,
    value: (cell) => `CAST(try_strptime(${cell}, ${pattern}) AS TIME)`,
    strict: (cell, value) => isTrue(`strftime(DATE '2000-01-01' + ${value}, ${pattern}) = ${cell}`),
  }
}

/** A moment, in UTC. Without a zone in the cell it is what the clocks of `timezone` show. */
export function datetimeReading({ format, timezone }: Pick<Field, 'format' | 'timezone'>): CellReading {
  if (format?.endsWith('%z')) return zonedPattern(format)
  if (timezone === undefined) return zoned
  return format === undefined ? zonedOrLocal(timezone) : localPattern(format, timezone)
}

const zoned: CellReading = {
  sqlType: 'TIMESTAMP',
  about: 'a time with its zone (YYYY-MM-DDThh:mm:ssZ)',
  value: (cell) => `(TRY_CAST(${cell} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')`,
  strict: (cell, value) => matching(momentPattern + zonePattern, cell, yearSql(value)),
}

function zonedOrLocal(timezone: string): CellReading {
  const local = (cell: string) => `TRY_CAST(${cell} AS TIMESTAMP)`
  return {
    sqlType: 'TIMESTAMP',
    about: `a time with its zone, or one that the clocks of ${timezone} show once (YYYY-MM-DDThh:mm:ss)`,
    // A year of more digits would be more than a change of zones can take.
    value: (cell) =>
      `CASE WHEN regexp_full_match(${cell}, '${momentPattern}') THEN ${utcSql(local(cell), timezone)} ELSE ${zoned.value(cell)} END`,
    strict: (cell, value) =>
      `CASE WHEN regexp_full_match(${cell}, '${momentPattern}') THEN ${yearSql(value, onceSql(value, local(cell), timezone))}
       ELSE ${matching(momentPattern + zonePattern, cell, yearSql(value))} END`,
  }
}

function localPattern(format: string, timezone: string): CellReading {
  const pattern = quoteText(format)
  const local = (cell: string) => `try_strptime(${cell}, ${pattern})`
  return {
    sqlType: 'TIMESTAMP',
    about: `a time that the clocks of ${timezone} show once (${format})`,
    value: (cell) => utcSql(local(cell), timezone),
    strict: (cell, value) =>
      `CASE WHEN strftime(${local(cell)}, ${pattern}) = ${cell} THEN ${yearSql(value, onceSql(value, local(cell), timezone))} ELSE false END`,
  }
}

/** DuckDB cannot write a zone again as it was, so it is taken off first and read by its own form. */
function zonedPattern(format: string): CellReading {
  const pattern = quoteText(format.slice(0, -2))
  const zone = (cell: string) => `regexp_extract(${cell}, '${zonePattern}$')`
  const rest = (cell: string) => `left(${cell}, length(${cell}) - length(${zone(cell)}))`
  const local = (cell: string) => `try_strptime(${rest(cell)}, ${pattern})`
  return {
    sqlType: 'TIMESTAMP',
    about: `a time with its zone (${format})`,
    value: (cell) =>
      `(TRY_CAST(strftime(${local(cell)}, '%Y-%m-%d %H:%M:%S.%f') || ${zone(cell)} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')`,
    strict: (cell, value) =>
      `CASE WHEN ${zone(cell)} <> '' AND strftime(${local(cell)}, ${pattern}) = ${rest(cell)} THEN ${yearSql(value)} ELSE false END`,
  }
}

function utcSql(local: string, timezone: string): string {
  return `(${local} AT TIME ZONE ${quoteText(timezone)} AT TIME ZONE 'UTC')`
}

/**
 * True when the clocks show the local time exactly once. When they go forward it is never there, and does not come back
 * from UTC; when they go back it is there twice, and comes back from another moment as well: the one that is as far off
 * as the zone's offset changes within a day to either side.
 */
function onceSql(utc: string, local: string, timezone: string): string {
  const moment = `(${utc} AT TIME ZONE 'UTC')`
  const shown = (at: string) => `(${at} AT TIME ZONE ${quoteText(timezone)})`
  const day = 'INTERVAL 24 HOUR'
  const shift = `(epoch_us(${shown(`(${moment} + ${day})`)}) - epoch_us(${shown(`(${moment} - ${day})`)}) - 172800000000)`
  const other = (sign: string) => `${shown(`(${moment} ${sign} to_microseconds(${shift}))`)} = ${local}`
  return `CASE WHEN ${shown(moment)} <> ${local} THEN false WHEN ${shift} = 0 THEN true
    WHEN ${other('+')} OR ${other('-')} THEN false ELSE true END`
}

/** Years are those of four digits; in UTC a time may have become another one. */
function yearSql(value: string, then = 'true'): string {
  return `CASE WHEN year(${value}) BETWEEN 1 AND 9999 THEN ${then} ELSE false END`
}

/** False where the condition is NULL. */
function isTrue(condition: string): string {
  return `CASE WHEN ${condition} THEN true ELSE false END`
}
