/** The rows of an output into a table of a database in a file, inside a transaction that is open. */
import { identifier } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { DeliveryId, Produced } from '../../ports.ts'
import type { FileDatabase, Found, InsertOptions, Into } from './database.ts'
import {
  allInserted,
  checkTaken,
  checkUnmoved,
  type Counts,
  keptName,
  keptTable,
  keyColumns,
  ledgerTable,
  parseTable,
  tableIdentifier,
  taskColumn,
} from '../tables.ts'

export interface Loaded {
  readonly counts: Counts
  /** The table that was put aside, as it stands in SQL. */
  readonly kept: string | null
}

export async function load(
  database: FileDatabase,
  id: DeliveryId,
  target: Target,
  produced: Produced,
  options: InsertOptions,
): Promise<Loaded> {
  const found = await database.find(parseTable(target.table))
  checkUnmoved(found !== undefined, target, produced)
  const key = target.mode === 'upsert' ? keyColumns(target, produced) : []
  if (found === undefined) {
    const into = await create(database, id, target, produced, key)
    return { counts: await insert(database, into, produced, options), kept: null }
  }
  const into = { ...found, task: found.hasTask ? id.task : undefined }
  if (target.mode === 'replace') return await replace(database, id, target, into, produced, options)
  if (key.length > 0) await database.needUniqueKey(found, key)
  await addColumns(database, into, produced)
  const counts =
    key.length > 0
      ? await database.upsert(into, produced, key, options)
      : await insert(database, into, produced, options)
  return { counts, kept: null }
}

async function create(
  database: FileDatabase,
  { task }: DeliveryId,
  { table, mode }: Target,
  { columns = [] }: Produced,
  key: readonly string[],
): Promise<Into> {
  const quoted = (name: string) => identifier(name, database.naming)
  const isMarked = mode === 'append'
  const name = parseTable(table)
  const into = { identifier: database.identifier(name), table: name.table, task: isMarked ? task : undefined }
  const lines = columns.map((column) => database.columnSql(column) + (key.includes(column.name) ? ' NOT NULL' : ''))
  if (isMarked) lines.push(`${quoted(taskColumn)} VARCHAR`)
  if (key.length > 0) lines.push(`PRIMARY KEY (${key.map(quoted).join(', ')})`)
  await database.run(`CREATE TABLE ${into.identifier} (${lines.join(', ')})`)
  return into
}

async function addColumns(database: FileDatabase, into: Into, { columns = [] }: Produced): Promise<void> {
  for (const column of columns.filter(({ isThere }) => !isThere)) {
    await database.run(`ALTER TABLE ${into.identifier} ADD COLUMN ${database.columnSql(column)}`)
  }
}

async function insert(database: FileDatabase, into: Into, produced: Produced, options: InsertOptions): Promise<Counts> {
  const rows = await database.insert(into, produced, options)
  checkTaken(rows, produced.rows)
  return allInserted(rows)
}

/** Under its old name a table like the old one, which is kept under another; nobody sees either before the commit. */
async function replace(
  database: FileDatabase,
  id: DeliveryId,
  target: Target,
  old: Found & Into,
  produced: Produced,
  options: InsertOptions,
): Promise<Loaded> {
  const like = await database.definitionOf(old)
  await dropKept(database, target)
  for (const sql of like.before) await database.run(sql)
  await database.run(`ALTER TABLE ${old.identifier} RENAME TO ${identifier(keptTable(id), database.naming)}`)
  for (const sql of like.create) await database.run(sql)
  await addColumns(database, old, produced)
  const counts = await insert(database, old, produced, options)
  for (const sql of like.after) await database.run(sql)
  return { counts, kept: tableIdentifier({ schema: old.schema, table: keptTable(id) }, database.naming) }
}

/** One previous table is kept, and no more. */
async function dropKept(database: FileDatabase, { table }: Target): Promise<void> {
  const rows = await database.rows<{ kept: string }>(
    `SELECT kept FROM ${ledgerTable} WHERE target = ? AND kept IS NOT NULL`,
    [table],
  )
  for (const { kept } of rows) await database.run(`DROP TABLE IF EXISTS ${keptName(kept)}`)
  await database.run(`UPDATE ${ledgerTable} SET kept = NULL WHERE target = ?`, [table])
}
