/** Rows that change those of the same key, and are added where there is none. */
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import { columnNamed, type Found } from './catalog.ts'
import { keepAfter, keepBefore } from './kept.ts'
import { loadRows } from './load.ts'
import type { Session } from './session.ts'
import { foundRows, quoted, sameKey, sameValue } from './sql.ts'
import { columnSql } from './types.ts'
import { checkTaken, type Counts, taskColumn } from '../tables.ts'

export interface Upsert {
  readonly found: Found
  /** The index by which the key tells rows apart. */
  readonly index: string
  readonly key: readonly string[]
  /** Name of a temporary table, quoted. */
  readonly staging: string
  /** What new rows are marked with, where the table has a column for it. */
  readonly mark: string | undefined
}

/** Whether everything was kept that an undo takes. */
export interface Upserted extends Counts {
  readonly isKept: boolean
}

/**
 * Leaves a transaction open. ON DUPLICATE KEY UPDATE would do with one statement, but changes a row as well whose key is
 * another one and that has a value in common which some other index wants to be unique. Here that is an error.
 * @param kept the table that keeps what was there before and is there now, quoted; undefined to keep nothing.
 */
export async function upsertRows(
  session: Session,
  upsert: Upsert,
  produced: Produced,
  { kept, signal }: { readonly kept: string | undefined; readonly signal: AbortSignal },
): Promise<Upserted> {
  const { found, key, staging } = upsert
  const { names, rows } = await stageRows(session, upsert, produced, signal)
  await session.run('START TRANSACTION')
  // What is not found is locked, too, and stays absent.
  const counts = await weigh(session, upsert, produced, rows, 'FOR UPDATE')
  const join = `${staging} AS fresh STRAIGHT_JOIN ${known(upsert)}`
  const differs = difference(upsert, produced)
  if (kept !== undefined) {
    await session.run(`DELETE fresh FROM ${join} WHERE NOT (${differs})`)
    await keepBefore(session, kept, found, join)
  }
  if (counts.updated > 0) {
    const changes = quoted(names.filter((name) => !key.includes(name) && name !== taskColumn))
    const assignments = changes.map((name) => `known.${name} = fresh.${name}`)
    const result = await session.run(`UPDATE ${join} SET ${assignments.join(', ')} WHERE ${differs}`)
    checkTaken(foundRows(result), counts.updated)
  }
  const columns = quoted(names)
  const { affectedRows: inserted } = await session.run(
    `INSERT INTO ${found.sql} (${columns.join(', ')}) SELECT ${columns.map((name) => `fresh.${name}`).join(', ')}
     FROM ${staging} AS fresh LEFT JOIN ${known(upsert)} WHERE known.${quoted(key)[0]} IS NULL`,
  )
  checkTaken(inserted, counts.inserted)
  const after = kept === undefined ? 0 : await keepAfter(session, kept, found, join)
  // A trigger may have given a row another key, by which nobody finds it again.
  return { ...counts, isKept: kept !== undefined && after === counts.inserted + counts.updated }
}

/** What an upsert would come to. */
export async function rehearseRows(
  session: Session,
  upsert: Upsert,
  produced: Produced,
  signal: AbortSignal,
): Promise<Counts> {
  const { rows } = await stageRows(session, upsert, produced, signal)
  return await weigh(session, upsert, produced, rows, '')
}

/**
 * Puts the rows into a temporary table, which alone of all tables comes without a commit. It is made by the key, so that a
 * key twice is told, and one that is missing.
 * @returns its columns, and how many rows there are.
 */
async function stageRows(
  session: Session,
  { found, key, staging, mark }: Upsert,
  produced: Produced,
  signal: AbortSignal,
): Promise<{ readonly names: string[]; readonly rows: number }> {
  const { columns = [] } = produced
  const own = mark !== undefined && columnNamed(found, taskColumn) !== undefined ? [taskColumn] : []
  const there = columns.filter(({ name }) => columnNamed(found, name) !== undefined).map(({ name }) => name)
  // Those that a rehearsal finds to be still to come.
  const lines = columns.filter(({ name }) => !there.includes(name)).map((column) => columnSql(column, 'longtext'))
  await session.run(
    `CREATE TEMPORARY TABLE ${staging} (${[...lines, `PRIMARY KEY (${quoted(key).join(', ')})`].join(', ')}) ENGINE = InnoDB
     AS SELECT ${quoted([...there, ...own]).join(', ')} FROM ${found.sql} WHERE FALSE`,
  )
  const like = found.columns.filter(({ name }) => name !== taskColumn || own.length > 0)
  const rows = await loadRows(session, { table: staging, like, key, mark }, produced, signal)
  return { names: [...columns.map(({ name }) => name), ...own], rows }
}

/** @param lock `FOR UPDATE`, or nothing. */
async function weigh(
  session: Session,
  upsert: Upsert,
  produced: Produced,
  rows: number,
  lock: string,
): Promise<Counts> {
  const [row] = await session.rows<{ matched: number; updated: string }>(
    `SELECT count(*) AS matched, coalesce(sum(${difference(upsert, produced)}), 0) AS updated
     FROM ${upsert.staging} AS fresh STRAIGHT_JOIN ${known(upsert)} ${lock}`,
  )
  const matched = row?.matched ?? 0
  const updated = Number(row?.updated)
  return { inserted: rows - matched, updated, unchanged: matched - updated }
}

/** The row of the target that has the key of a fresh one. */
function known({ found, index, key }: Upsert): string {
  return `${found.sql} AS known FORCE INDEX (${identifier(index, mysqlNames)}) ON ${sameKey(key, 'known', 'fresh')}`
}

/** Whether a fresh row would change it. */
function difference({ found, key }: Upsert, { columns = [] }: Produced): string {
  const terms = columns
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => {
      const column = columnNamed(found, name)
      return column === undefined
        ? `fresh.${identifier(name, mysqlNames)} IS NOT NULL`
        : `NOT (${sameValue(column, 'known', 'fresh')})`
    })
  return terms.length === 0 ? 'FALSE' : terms.join(' OR ')
}
