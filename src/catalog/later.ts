import { type RawBuilder, sql } from 'kysely'
import type { Database } from './database.ts'

/** So many milliseconds from now, by the database's clock. */
export function later(now: RawBuilder<number>, ms: number): RawBuilder<number> {
  return sql<number>`${now} + ${Math.round(ms)}`
}

/**
 * When what is kept for so long may go: by the clock, or by when it was last believed, where that is later. What comes in
 * while the clock is behind would else be over as soon as that is put right.
 */
export function keptFor({ now }: Pick<Database, 'now'>, ms: number): RawBuilder<number> {
  const seen = sql<number>`(select coalesce(max(seen), 0) from ${sql.table('clock')})`
  return sql<number>`case when ${seen} > ${now} then ${seen} else ${now} end + ${Math.round(ms)}`
}
