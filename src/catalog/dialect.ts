/** In what the databases' languages differ where tables are made. */
import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from 'kysely'
import { makeLockRows } from './lock-rows.ts'

export interface Dialect {
  /** A type for text of any length. */
  readonly text: 'text' | RawBuilder<unknown>
  /** Begins a table whose texts are equal only when all their bytes are. */
  createTable<DB>(db: Kysely<DB>, name: string): Promise<CreateTableBuilder<string>>
  /** Makes what the locks of names take. */
  makeLocks(db: Kysely<unknown>): Promise<void>
}

/** SQLite's and PostgreSQL's. */
export const standard: Dialect = {
  text: 'text',
  createTable: async (db, name) => db.schema.createTable(name),
  makeLocks: async () => {},
}

/** That of MySQL and MariaDB, whose `text` ends at 64 KB, and whose texts are equal in every case, and with accents. */
export const mysql: Dialect = {
  text: sql`longtext`,
  async createTable(db, name) {
    const { rows } = await sql<{ version: string }>`select version() as version`.execute(db)
    const isMariaDb = rows[0]?.version.includes('MariaDB') === true
    const collation = isMariaDb ? sql`utf8mb4_nopad_bin` : sql`utf8mb4_0900_bin`
    return db.schema.createTable(name).modifyEnd(sql`engine = InnoDB character set utf8mb4 collate ${collation}`)
  },
  makeLocks: makeLockRows,
}
