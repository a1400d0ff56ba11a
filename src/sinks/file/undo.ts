/** Takes back what a task has put into a table of a database in a file, inside a transaction that is open. */
import { identifier } from '../../identifiers.ts'
import { maxLeftKeys, type Undone } from '../../balances.ts'
import type { DeliveryId, Undoable } from '../../ports.ts'
import { cannotUndo } from '../refusals.ts'
import { type FileDatabase, type Found, writableColumns } from './database.ts'
import { committed, type Entry, findKept, forgetKept, keptSql, type Settled } from './ledger.ts'
import { pairColumn } from './upsert.ts'
import { keptTable, keyColumns, parseTable, taskColumn } from '../tables.ts'

export interface Reverted {
  readonly undone: Undone
  readonly settled: Settled
}

/** What is to be undone, and what there is for it. */
interface Load {
  readonly of: Undoable
  readonly entry: Entry
  readonly table: Found
  readonly kept: Found | undefined
}

/** @throws {AppError} conflict, when it cannot be taken back any more. */
export async function findUndoable(database: FileDatabase, of: Undoable): Promise<Load> {
  const { table: name } = of.target
  const entry = await committed(database, of)
  if (entry === undefined) throw cannotUndo(name, 'unknown')
  if (entry.isLoadedSince) throw cannotUndo(name, 'loadedSince')
  if (!entry.undoable) throw cannotUndo(name, entry.superseded ? 'keptGone' : 'notKept')
  const table = await database.find(parseTable(name))
  if (table === undefined) throw cannotUndo(name, 'tableGone')
  if (entry.mode === 'append') {
    if (!table.hasTask) throw cannotUndo(name, 'unmarked')
    return { of, entry, table, kept: undefined }
  }
  const kept = entry.kept === null ? undefined : await findKept(database, entry.kept)
  if (kept === undefined) throw cannotUndo(name, 'keptGone')
  if (entry.mode === 'replace' && !(await isLike(database, table, kept))) throw cannotUndo(name, 'changed')
  return { of, entry, table, kept }
}

/** Whether a table can be the one that took the place of another: it has all of its columns. */
async function isLike(database: FileDatabase, table: Found, kept: Found): Promise<boolean> {
  const present = new Set((await database.columnsOf(table)).map(({ name }) => name))
  return (await database.columnsOf(kept)).every(({ name }) => present.has(name))
}

/** Everything but the ledger's row of the undo. Fails as `findUndoable` does. */
export async function undo(database: FileDatabase, id: DeliveryId, of: Undoable): Promise<Reverted> {
  const load = await findUndoable(database, of)
  const { table, kept } = load
  if (kept === undefined) return reverted(await undoAppend(database, load), null)
  if (load.entry.mode === 'upsert') return reverted(await undoUpsert(database, of, table, kept), null)
  const aside = { schema: table.schema, table: keptTable(id) }
  return reverted(await undoReplace(database, of, table, kept, aside.table), keptSql(database, aside))
}

/** What an undo came to that is committed. */
export async function undoneBefore(database: FileDatabase, entry: Entry, of: Undoable): Promise<Undone> {
  const { inserted: removed, updated: restored, unchanged: left } = entry
  const load = await committed(database, of)
  const isKept = load?.mode === 'upsert' && load.kept !== null
  const kept = isKept ? await findKept(database, load.kept) : undefined
  return { removed, restored, left, leftKeys: kept === undefined ? [] : await leftKeys(database, of, kept) }
}

/** The ledger has the three numbers in the places of a load's. */
function reverted(undone: Undone, kept: string | null): Reverted {
  const { removed, restored, left } = undone
  return {
    undone,
    settled: { counts: { inserted: removed, updated: restored, unchanged: left }, kept, undoable: false },
  }
}

async function undoAppend(database: FileDatabase, { of, entry, table }: Load): Promise<Undone> {
  const mark = identifier(taskColumn, database.naming)
  const removed = await database.run(`DELETE FROM ${table.identifier} WHERE ${mark} = ?`, [of.task])
  return { removed, restored: 0, left: Math.max(0, entry.inserted - removed), leftKeys: [] }
}

/** The table that was put aside takes its place again, and the present one is put aside. */
async function undoReplace(
  database: FileDatabase,
  of: Undoable,
  table: Found,
  kept: Found,
  aside: string,
): Promise<Undone> {
  const like = await database.definitionOf(table)
  const removed = await count(database, table.identifier)
  const restored = await count(database, kept.identifier)
  const quoted = (name: string) => identifier(name, database.naming)
  for (const sql of like.before) await database.run(sql)
  await database.run(`ALTER TABLE ${table.identifier} RENAME TO ${quoted(aside)}`)
  await database.run(`ALTER TABLE ${kept.identifier} RENAME TO ${quoted(table.table)}`)
  for (const sql of [...like.counters, ...like.indexes]) await database.run(sql)
  await forgetKept(database, of)
  return { removed, restored, left: 0, leftKeys: [] }
}

/** Rows that are still as the upsert has left them become what they were; pairs of others stay with what is kept. */
async function undoUpsert(database: FileDatabase, of: Undoable, table: Found, kept: Found): Promise<Undone> {
  const all = (await writableColumns(database, kept)).filter((name) => name !== pairColumn)
  const present = new Set(await writableColumns(database, table))
  if (!all.every((name) => present.has(name))) throw cannotUndo(of.target.table, 'changed')
  const key = await keyOf(database, of, kept)
  const comparison = await database.comparisonOf(table, key)
  const quoted = (name: string) => identifier(name, database.naming)
  const others = all.filter((name) => !key.includes(name)).map(quoted)
  const asLeft = all.map((name) => comparison.isSame(name, 'known', 'after')).join(' AND ')
  const back = database.temporary('back')
  await database.run(
    `CREATE TEMPORARY TABLE ${back} AS
     SELECT ${[...key.map((name) => `after.${quoted(name)}`), ...others.map((name) => `before.${name}`)].join(', ')},
       before.${pairColumn} AS ${pairColumn}
     FROM ${kept.identifier} AS after CROSS JOIN ${table.identifier} AS known
     LEFT JOIN ${kept.identifier} AS before
       ON before.${pairColumn} = 'before' AND ${comparison.isSameKey('before', 'after')}
     WHERE after.${pairColumn} = 'after' AND ${comparison.isSameKey('known', 'after')} AND ${asLeft}`,
  )
  await database.indexKey('back', comparison)
  const isOne = (row: string) => comparison.isSameKey('back', row)
  // First, so that nothing that is unique is there twice meanwhile.
  const removed = await database.run(
    `DELETE FROM ${table.identifier} AS known WHERE EXISTS (
       SELECT 1 FROM ${back} AS back WHERE back.${pairColumn} IS NULL AND ${isOne('known')})`,
  )
  const set = others.map((name) => `${name} = back.${name}`).join(', ')
  const isChanged = `back.${pairColumn} IS NOT NULL AND ${comparison.isSameKey('known', 'back')}`
  const restored =
    others.length === 0
      ? 0
      : await database.run(`UPDATE ${table.identifier} AS known SET ${set} FROM ${back} AS back WHERE ${isChanged}`)
  await database.run(
    `DELETE FROM ${kept.identifier} AS pair WHERE EXISTS (SELECT 1 FROM ${back} AS back WHERE ${isOne('pair')})`,
  )
  await database.run(`DROP TABLE ${back}`)
  const left = await count(database, `${kept.identifier} WHERE ${pairColumn} = 'after'`)
  return { removed, restored, left, leftKeys: await leftKeys(database, of, kept) }
}

async function leftKeys(database: FileDatabase, of: Undoable, kept: Found): Promise<Undone['leftKeys']> {
  const key = await keyOf(database, of, kept)
  const names = key.map((name) => identifier(name, database.naming))
  const rows = await database.rows<Record<string, string | null>>(
    `SELECT ${names.map((name, i) => `CAST(${name} AS VARCHAR) AS n${i}`).join(', ')} FROM ${kept.identifier}
     WHERE ${pairColumn} = 'after' ORDER BY ${names.join(', ')} LIMIT ${maxLeftKeys}`,
  )
  return rows.map((row) => Object.fromEntries(key.map((name, i) => [name, row[`n${i}`] ?? null])))
}

/** The key as the table calls its columns. */
async function keyOf(database: FileDatabase, { target }: Undoable, kept: Found): Promise<string[]> {
  return keyColumns(target, { columns: await database.columnsOf(kept) })
}

async function count(database: FileDatabase, from: string): Promise<number> {
  const [row] = await database.rows<{ n: string | number }>(`SELECT count(*) AS n FROM ${from}`)
  return Number(row?.n)
}
