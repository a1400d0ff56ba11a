/** The catalog's doors: for the service, which migrates as it opens, and for `rowmill migrate`. */
import { existsSync } from 'node:fs'
import type { Log } from '../log.ts'
import type { Catalog, Keeping } from '../ports.ts'
import { createCatalog } from './catalog.ts'
import { usualKeeping } from './keeping.ts'
import { type MigrationStatus, migrateToLatest, nothingApplied, statusOf } from './migrations.ts'
import { openSqlite } from './sqlite.ts'

/**
 * Opens the catalog in a SQLite file; makes and migrates it as needed, now and whenever it was deleted meanwhile.
 * @throws {AppError} conflict, when a newer Rowmill made it; unavailable, when the file cannot be used.
 */
export async function openCatalog(
  path: string,
  { log, keeping = usualKeeping }: { log: Log; keeping?: Keeping },
): Promise<Catalog> {
  const catalog = createCatalog(openSqlite(path, { prepare: () => migrate(path), log }), keeping)
  await catalog.ping()
  return catalog
}

/** Applies what is pending; the names of the migrations applied. */
export async function migrate(path: string): Promise<string[]> {
  const { db } = openSqlite(path)
  try {
    return await migrateToLatest(db)
  } finally {
    await db.destroy()
  }
}

/** What `rowmill migrate` has done and would do; makes nothing. */
export async function migrationStatus(path: string): Promise<MigrationStatus> {
  if (!existsSync(path)) return nothingApplied
  const { db } = openSqlite(path)
  try {
    return await statusOf(db)
  } finally {
    await db.destroy()
  }
}
