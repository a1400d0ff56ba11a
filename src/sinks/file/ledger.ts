/** What the ledger of a database in a file knows: who may commit, and what was committed. */
import { identifier } from '../../identifiers.ts'
import type { LoadMode } from '../../model.ts'
import type { DeliveryId } from '../../ports.ts'
import { type FileDatabase, folded, type Found } from './database.ts'
import {
  type Committed,
  type Counts,
  keptName,
  isInTheWay,
  ledgerTable,
  overtaken,
  parseTable,
  tableIdentifier,
  type TableName,
} from '../tables.ts'

/** What is committed together with rows. */
export interface Settled {
  readonly counts: Counts
  /** The table of Rowmill's own that keeps what an undo needs, as it stands in SQL. */
  readonly kept: string | null
  readonly undoable: boolean
}

/** A row of the ledger, of what is committed. */
export interface Entry extends Committed, Pick<Settled, 'kept'> {
  /** Whether the whole table was replaced since, or loaded since it was: it cannot be undone by itself then. */
  readonly isLoadedSince: boolean
  readonly mode: LoadMode | 'undo'
}

interface LedgerRow {
  readonly mode: Entry['mode']
  readonly kept: string | null
  readonly undoable: boolean | number | null
  readonly superseded: boolean | number
  readonly since: boolean | number
  readonly inserted: string | number
  readonly updated: string | number
  readonly unchanged: string | number
}

/** The table as the ledger calls it, whichever way it was written: both databases have one schema that need not be named. */
export function canonical(table: string, { naming }: FileDatabase): string {
  const { schema = 'main', table: name } = parseTable(table)
  return tableIdentifier({ schema: folded(schema), table: folded(name) }, naming)
}

/**
 * Makes the attempt the one that may commit; what an earlier one has committed.
 * @throws {AppError} conflict, when a later attempt has registered.
 */
export async function register(
  database: FileDatabase,
  id: DeliveryId,
  attempt: number,
  table: string,
  mode: Entry['mode'],
  undoes: string | null = null,
): Promise<Entry | undefined> {
  // The time is for people: two commits may have the same one, and clocks are set back.
  await database.run(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (
    task VARCHAR NOT NULL, output VARCHAR NOT NULL, attempt BIGINT NOT NULL, target VARCHAR NOT NULL, mode VARCHAR NOT NULL,
    undoes VARCHAR, inserted BIGINT, updated BIGINT, unchanged BIGINT, undoable BOOLEAN, kept VARCHAR, place BIGINT, committed_at DATETIME,
    PRIMARY KEY (task, output))`)
  const touched = await database.run(
    `INSERT INTO ${ledgerTable} AS known (task, output, attempt, target, mode, undoes) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (task, output) DO UPDATE SET attempt = excluded.attempt WHERE known.attempt <= excluded.attempt`,
    [id.task, id.output, attempt, canonical(table, database), mode, undoes],
  )
  if (touched !== 1) throw overtaken(id)
  return await committed(database, id)
}

/** What was committed of an output; undefined when nothing was. The ledger must be there. */
export async function committed(database: FileDatabase, { task, output }: DeliveryId): Promise<Entry | undefined> {
  const [row] = await database.rows<LedgerRow>(
    `SELECT mode, inserted, updated, unchanged, undoable, kept, EXISTS (
       SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = one.target AND other.place > one.place
     ) AS superseded, EXISTS (
       SELECT 1 FROM ${ledgerTable} AS other WHERE other.target = one.target AND other.place > one.place AND ${isInTheWay}
     ) AS since FROM ${ledgerTable} AS one WHERE task = ? AND output = ? AND committed_at IS NOT NULL`,
    [task, output],
  )
  if (row === undefined) return undefined
  const { mode, kept, undoable, superseded, since, inserted, updated, unchanged } = row
  return {
    mode,
    kept,
    undoable: Boolean(undoable),
    superseded: Boolean(superseded),
    isLoadedSince: Boolean(since),
    inserted: Number(inserted),
    updated: Number(updated),
    unchanged: Number(unchanged),
  }
}

/**
 * Writes what an attempt commits, in its transaction: until that ends no other one can register.
 * @throws {AppError} conflict, when another one has.
 */
export async function settle(
  database: FileDatabase,
  id: DeliveryId,
  attempt: number,
  { counts, kept, undoable }: Settled,
): Promise<void> {
  const touched = await database.run(
    `UPDATE ${ledgerTable} SET inserted = ?, updated = ?, unchanged = ?, kept = ?, undoable = ?,
       place = (SELECT coalesce(max(place), 0) + 1 FROM ${ledgerTable}), committed_at = ${database.now}
     WHERE task = ? AND output = ? AND attempt = ? AND committed_at IS NULL`,
    [counts.inserted, counts.updated, counts.unchanged, kept, undoable ? 1 : 0, id.task, id.output, attempt],
  )
  if (touched !== 1) throw overtaken(id)
}

/** Drops what an earlier task has kept of a table: one thing is kept, and no more. */
export async function dropKept(database: FileDatabase, table: string): Promise<void> {
  const target = canonical(table, database)
  const rows = await database.rows<{ kept: string }>(
    `SELECT kept FROM ${ledgerTable} WHERE target = ? AND kept IS NOT NULL`,
    [target],
  )
  for (const { kept } of rows) {
    const found = await findKept(database, kept)
    if (found !== undefined) await database.run(`DROP TABLE ${found.identifier}`)
  }
  await database.run(`UPDATE ${ledgerTable} SET kept = NULL, undoable = FALSE WHERE target = ? AND kept IS NOT NULL`, [
    target,
  ])
}

/** What a task has kept is no longer needed, or has become something else. */
export async function forgetKept(database: FileDatabase, { task, output }: DeliveryId): Promise<void> {
  await database.run(`UPDATE ${ledgerTable} SET kept = NULL WHERE task = ? AND output = ?`, [task, output])
}

/** @throws {AppError} conflict, when it is the name of another table than one that was kept. */
export async function findKept(database: FileDatabase, kept: string): Promise<Found | undefined> {
  const [, schema, table = ''] = /^(?:"((?:[^"]|"")*)"[.])?"(\w+)"$/.exec(keptName(kept)) ?? []
  return await database.find({ schema: schema?.replaceAll('""', '"'), table })
}

/** How the ledger names a table that is kept. */
export function keptSql(database: FileDatabase, { schema, table }: TableName): string {
  return `${identifier(schema ?? 'main', database.naming)}.${identifier(table, database.naming)}`
}
