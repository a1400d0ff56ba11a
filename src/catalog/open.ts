/** The catalog's doors: for the service, which migrates as it opens, and for `rowmill migrate`. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Fail } from '../failpoints.ts'
import type { Log } from '../log.ts'
import type { Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { createCatalog } from './catalog.ts'
import type { Database } from './database.ts'
import { usualKeeping } from './keeping.ts'
import { type MigrationStatus, migrateToLatest, nothingApplied, statusOf } from './migrations.ts'
import { forMigrations, forRequests, type Patience } from './remote.ts'

/**
 * Opens the catalog that a URL names, makes and migrates it as needed; one in a file also whenever that was deleted
 * meanwhile.
 * @param url `sqlite:FILE`, `postgres://…` or `mysql://…`.
 * @throws {AppError} conflict, when a newer Rowmill made it; unavailable, when the database cannot be used.
 */
export async function openCatalog(
  url: string,
  { log, keeping = usualKeeping, fail }: { log: Log; keeping?: Keeping; fail?: Fail },
): Promise<Catalog> {
  const path = sqlitePath(url)
  if (path === undefined) await migrate(url, log)
  const database = await open(url, forRequests, log, path === undefined ? undefined : () => migrate(url, log))
  const catalog = createCatalog({ ...database, fail }, keeping)
  await catalog.ping()
  return catalog
}

/** Applies what is pending; the names of the migrations applied. */
export async function migrate(url: string, log: Log): Promise<string[]> {
  await using database = await opened(url, log)
  return await migrateToLatest(database)
}

/** What `rowmill migrate` has done and would do; makes nothing. */
export async function migrationStatus(url: string, log: Log): Promise<MigrationStatus> {
  const path = sqlitePath(url)
  if (path !== undefined && !existsSync(path)) return nothingApplied
  await using database = await opened(url, log)
  return await statusOf(database.db)
}

/** The file of a catalog in one; undefined for one on a server. */
export function sqlitePath(url: string): string | undefined {
  const rest = /^sqlite:(.+)$/s.exec(url)?.[1]
  return rest?.startsWith('//') === true ? fileURLToPath(`file:${rest}`) : rest
}

async function opened(url: string, log: Log): Promise<Database & AsyncDisposable> {
  const database = await open(url, forMigrations, log)
  return { ...database, [Symbol.asyncDispose]: () => database.db.destroy() }
}

/** A vendor's library is loaded when there is a catalog for it. */
async function open(url: string, patience: Patience, log: Log, prepare?: () => Promise<unknown>): Promise<Database> {
  const path = sqlitePath(url)
  if (path !== undefined) return (await import('./sqlite.ts')).openSqlite(path, { log, ...(prepare && { prepare }) })
  if (/^postgres(ql)?:/.test(url)) return (await import('./postgres.ts')).openPostgres(url, patience, log)
  return (await import('./mysql.ts')).openMysql(url.replace(/^mariadb:/, 'mysql:'), patience)
}
