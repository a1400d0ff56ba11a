/**
 * Locks of names for MySQL, which has none that end with a transaction: rows to be locked stand for them. Names that share
 * a row wait for each other in vain, and not for long.
 */
import { createHash } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'

const count = 1024

export async function makeLockRows(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('lock_rows')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .execute()
  const rows = Array.from({ length: count }, (_, id) => sql`(${sql.lit(id)})`)
  await sql`insert into lock_rows (id) values ${sql.join(rows)}`.execute(db)
}

export async function lockRow<T>(trx: Transaction<T>, name: readonly string[]): Promise<void> {
  const id = createHash('sha256').update(JSON.stringify(name)).digest().readUInt16BE() % count
  await sql`select id from lock_rows where id = ${id} for update`.execute(trx)
}
