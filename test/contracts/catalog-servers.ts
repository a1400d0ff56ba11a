/** The contract of catalogs on a database server. Making all their tables takes longer than most of the checks do. */
import { after } from 'node:test'
import { openCatalog } from '../../src/catalog/open.ts'
import { usualKeeping } from '../../src/catalog/keeping.ts'
import { createLog } from '../../src/log.ts'
import { type DatabaseKind, freshDatabase, query, type TestDatabase } from '../servers.ts'
import { type CatalogStore, testCatalog } from './catalog.ts'

const log = createLog('silent')

/** Removes every row, but for those that come with the tables. */
const emptied: Readonly<Record<DatabaseKind, string>> = {
  postgres: `do $$ begin execute (
    select 'truncate ' || string_agg(quote_ident(tablename), ', ') from pg_tables
    where schemaname = current_schema and tablename <> 'lock_rows' and tablename not like 'kysely%'
  ); end $$`,
  mariadb: `begin not atomic
    set foreign_key_checks = 0;
    for one in (
      select table_name from information_schema.tables
      where table_schema = database() and table_name <> 'lock_rows' and table_name not like 'kysely%'
    ) do execute immediate concat('delete from ', one.table_name); end for;
  end`,
}

/** One check after another has the same database, empty again. */
export function testCatalogOn(kind: DatabaseKind): void {
  let shared: Promise<TestDatabase> | undefined
  after(async () => (await shared)?.[Symbol.asyncDispose]())
  const opener =
    (url: string): CatalogStore['open'] =>
    (keeping) =>
      openCatalog(url, { log, keeping: { ...usualKeeping, ...keeping } })
  testCatalog(kind, {
    async fresh() {
      const { url, ...rest } = await freshDatabase(kind)
      return { ...rest, open: opener(url) }
    },
    async empty() {
      const { url } = await (shared ??= freshDatabase(kind))
      return { open: opener(url), [Symbol.asyncDispose]: async () => void (await query(url, emptied[kind])) }
    },
  })
}
