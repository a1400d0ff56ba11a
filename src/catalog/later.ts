import { type RawBuilder, sql } from 'kysely'

/** So many milliseconds from now, by the database's clock. */
export function later(now: RawBuilder<number>, ms: number): RawBuilder<number> {
  return sql<number>`${now} + ${Math.round(ms)}`
}
