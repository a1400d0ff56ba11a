/** The rows of an output into a table of a database in a file, inside a transaction that is open. */
import { identifier } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { DeliveryId, Produced } from '../../ports.ts'
import type { FileDatabase, Found, InsertOptions, Into } from './database.ts'
import { dropKept, keptSql, type Settled } from './ledger.ts'
import { type Keeping, upsert } from './upsert.ts'
import {
  allInserted,
  checkTaken,
  checkUnmoved,
  type Counts,
  keptTable,
  keyColumns,
  parseTable,
  taskColumn,
} from '../tables.ts'

export async function load(
  database: FileDatabase,
  id: DeliveryId,
  target: Target,
  produced: Produced,
  options: InsertOptions,
): Promise<Settled> {
  const old = await database.find(parseTable(target.table))
  checkUnmoved(old !== undefined, target, produced)
  if (target.mode === 'replace' && old !== undefined) return await replace(database, id, target, old, produced, options)
  const found = old ?? (await create(database, target, produced))
  if (old !== undefined) await addColumns(database, found, produced)
  const into = { ...found, task: found.hasTask && target.undoable ? id.task : undefined }
  if (target.mode === 'upsert') return await upsertInto(database, id, target, into, produced, options)
  const counts = await insert(database, into, produced, options)
  return { counts, kept: null, undoable: target.mode === 'append' && into.task !== undefined }
}

async function create(database: FileDatabase, target: Target, produced: Produced): Promise<Found> {
  const { columns = [] } = produced
  const quoted = (name: string) => identifier(name, database.naming)
  const name = parseTable(target.table)
  const key = keyColumns(target, produced)
  const lines = columns.map((column) => database.columnSql(column) + (key.includes(column.name) ? ' NOT NULL' : ''))
  if (target.mode === 'append' && target.undoable) lines.push(`${quoted(taskColumn)} VARCHAR`)
  if (key.length > 0) lines.push(`PRIMARY KEY (${key.map(quoted).join(', ')})`)
  await database.run(`CREATE TABLE ${database.identifier(name)} (${lines.join(', ')})`)
  const found = await database.find(name)
  if (found === undefined) throw new Error(`the table ${target.table} is gone as soon as it is made`)
  return found
}

async function addColumns(database: FileDatabase, into: Found, { columns = [] }: Produced): Promise<void> {
  for (const column of columns.filter(({ isThere }) => !isThere)) {
    await database.run(`ALTER TABLE ${into.identifier} ADD COLUMN ${database.columnSql(column)}`)
  }
}

async function insert(database: FileDatabase, into: Into, produced: Produced, options: InsertOptions): Promise<Counts> {
  const rows = await database.insert(into, produced, options)
  if (!produced.isGuess) checkTaken(rows, produced.rows)
  return allInserted(rows)
}

async function upsertInto(
  database: FileDatabase,
  id: DeliveryId,
  target: Target,
  into: Found & Into,
  produced: Produced,
  options: InsertOptions,
): Promise<Settled> {
  const keeping = target.undoable ? placeToKeep(database, id, into) : undefined
  if (keeping !== undefined) await dropKept(database, target.table)
  const counts = await upsert(database, into, produced, keyColumns(target, produced), keeping, options)
  return { counts, kept: keeping?.sql ?? null, undoable: keeping !== undefined }
}

function placeToKeep(database: FileDatabase, id: DeliveryId, { schema }: Found): Keeping {
  const name = { schema, table: keptTable(id) }
  return { identifier: database.identifier(name), sql: keptSql(database, name) }
}

/** Under its old name a table like the old one, which is kept under another; nobody sees either before the commit. */
async function replace(
  database: FileDatabase,
  id: DeliveryId,
  target: Target,
  old: Found,
  produced: Produced,
  options: InsertOptions,
): Promise<Settled> {
  const like = await database.definitionOf(old)
  await dropKept(database, target.table)
  for (const sql of like.before) await database.run(sql)
  await database.run(
    target.undoable
      ? `ALTER TABLE ${old.identifier} RENAME TO ${identifier(keptTable(id), database.naming)}`
      : `DROP TABLE ${old.identifier}`,
  )
  for (const sql of [...like.create, ...like.counters]) await database.run(sql)
  await addColumns(database, old, produced)
  const indexed = async () => {
    for (const sql of like.indexes) await database.run(sql)
  }
  if (database.indexesFirst) await indexed()
  const into = { ...old, task: old.hasTask && target.undoable ? id.task : undefined }
  const counts = await insert(database, into, produced, options)
  if (!database.indexesFirst) await indexed()
  const kept = target.undoable ? keptSql(database, { schema: old.schema, table: keptTable(id) }) : null
  return { counts, kept, undoable: target.undoable }
}
