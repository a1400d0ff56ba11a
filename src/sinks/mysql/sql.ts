/** Pieces of SQL that several statements are made of. */
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Column } from './catalog.ts'
import type { Result } from './session.ts'

export const quoted = (names: readonly string[]): string[] => names.map((name) => identifier(name, mysqlNames))

/** Whether rows of two tables have the same key, as the columns compare. */
export function sameKey(key: readonly string[], one: string, other: string): string {
  return quoted(key)
    .map((name) => `${one}.${name} = ${other}.${name}`)
    .join(' AND ')
}

/** Whether they have the same value, or none: texts byte by byte, for “a” is not “A”, whatever the collation. */
export function sameValue({ name, type }: Pick<Column, 'name' | 'type'>, one: string, other: string): string {
  const [column] = quoted([name])
  const values = [one, other].map((table) => {
    if (type === 'json') return `CAST(CAST(${table}.${column} AS CHAR) AS BINARY)`
    return /char|text|enum|set/.test(type) ? `CAST(${table}.${column} AS BINARY)` : `${table}.${column}`
  })
  return values.join(' <=> ')
}

/** How many rows an UPDATE has found; it says so, as far as it changes them, in its text only. */
export function foundRows({ info }: Result): number {
  const [, matched] = /matched: (\d+)/.exec(info) ?? []
  if (matched === undefined) throw new Error(`MySQL tells of an UPDATE: ${info}`)
  return Number(matched)
}
