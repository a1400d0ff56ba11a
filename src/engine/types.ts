/**
 * What a declared type takes, as SQL over a cell's text. DuckDB's own casts take more than people mean (`1.5` and `1e5`
 * as integers, `2020/1/2` as a date), so each type has a strict question beside its cast. An empty cell is null and
 * always sound (Table Schema's default for missing values).
 */
import type { ColumnType } from '../model.ts'

interface TypeSql {
  /** The typed value, NULL for an empty cell. Means nothing for a cell that is not sound. */
  readonly value: (cell: string) => string
  /** True for a cell that is empty or means exactly one value of the type. CASE, because DuckDB evaluates all of an OR. */
  readonly sound: (cell: string, value: string) => string
  readonly sqlType: string
  /** As in “is not …”. */
  readonly about: string
}

const empty = (cell: string) => `${cell} = ''`

function matching(pattern: string, cell: string, cast: string): string {
  return `CASE WHEN ${empty(cell)} THEN true WHEN regexp_full_match(${cell}, '${pattern}') THEN ${cast} IS NOT NULL ELSE false END`
}

/** A value that reads back as it was written is plain; only the others pay for the pattern. */
function roundTrip(cast: string, cell: string, otherwise: string): string {
  return `CASE WHEN ${cast}::VARCHAR = ${cell} THEN true ELSE ${otherwise} END`
}

const plain: Readonly<Record<string, TypeSql>> = {
  string: {
    sqlType: 'VARCHAR',
    about: 'text',
    value: (cell) => `nullif(${cell}, '')`,
    sound: () => 'true',
  },
  integer: {
    sqlType: 'BIGINT',
    about: 'an integer of at most 64 bits',
    value: (cell) => `TRY_CAST(${cell} AS BIGINT)`,
    sound: (cell, value) => roundTrip(value, cell, matching('[+-]?[0-9]+', cell, value)),
  },
  number: {
    sqlType: 'DOUBLE',
    about: 'a number',
    value: (cell) => `TRY_CAST(${cell} AS DOUBLE)`,
    // What is too big would be infinite, and what is too small nothing at all.
    sound: (cell, value) => {
      const held = `CASE WHEN isfinite(${value}) AND (${value} <> 0 OR NOT regexp_matches(${cell}, '^[^eE]*[1-9]')) THEN true END`
      return matching('[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?', cell, held)
    },
  },
  boolean: {
    sqlType: 'BOOLEAN',
    about: 'true or false',
    value: (cell) =>
      `CASE WHEN ${cell} IN ('true', 'True', 'TRUE', '1') THEN true WHEN ${cell} IN ('false', 'False', 'FALSE', '0') THEN false END`,
    sound: (cell) => `${cell} IN ('', 'true', 'True', 'TRUE', '1', 'false', 'False', 'FALSE', '0')`,
  },
  date: {
    sqlType: 'DATE',
    about: 'a date (YYYY-MM-DD)',
    value: (cell) => `TRY_CAST(${cell} AS DATE)`,
    // “infinity” and years before Christ read back as they are written, too.
    sound: (cell, value) => `CASE WHEN ${value}::VARCHAR = ${cell} THEN length(${cell}) = 10 ELSE ${empty(cell)} END`,
  },
  datetime: {
    sqlType: 'TIMESTAMP',
    about: 'a time with its zone (YYYY-MM-DDThh:mm:ssZ)',
    value: (cell) => `(TRY_CAST(${cell} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')`,
    sound: (cell, value) =>
      matching(
        '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)',
        cell,
        // In UTC it may have become another year, which must be one of four digits.
        `CASE WHEN year(${value}) BETWEEN 1 AND 9999 THEN true END`,
      ),
  },
}

/** `decimal(18,2)`: no more digits than it holds, so that no cast can round. */
function decimal(type: string): TypeSql {
  const [precision = 38, scale = 0] = (type.match(/\d+/g) ?? []).map(Number)
  const sqlType = `DECIMAL(${precision}, ${scale})`
  const fraction = scale === 0 ? '([.]0*)?' : `([.][0-9]{0,${scale}}0*)?`
  return {
    sqlType,
    about: `a decimal number of at most ${precision - scale} digits before and ${scale} behind the point`,
    value: (cell) => `TRY_CAST(${cell} AS ${sqlType})`,
    sound: (cell, value) => matching(`[+-]?[0-9]+${fraction}`, cell, value),
  }
}

export function typeSql(type: ColumnType): TypeSql {
  return plain[type] ?? decimal(type)
}
