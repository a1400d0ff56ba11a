/** Rows that change those of the same key, and are added where there is none. */
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import type { Found } from './catalog.ts'
import { loadRows } from './load.ts'
import type { Session } from './session.ts'
import { checkTaken, type Counts, taskColumn } from '../tables.ts'

export interface Upsert {
  readonly found: Found
  /** The one by which the key tells rows apart. */
  readonly index: string
  readonly key: readonly string[]
  /** Name of a temporary table, quoted. */
  readonly staging: string
  readonly task: string
}

const quoted = (names: readonly string[]) => names.map((name) => identifier(name, mysqlNames))

/**
 * Leaves a transaction open. ON DUPLICATE KEY UPDATE would do with one statement, but changes a row as well whose key is
 * another one and that has a value in common which some other index wants to be unique. Here that is an error.
 */
export async function upsertRows(
  session: Session,
  { found, index, key, staging, task }: Upsert,
  produced: Produced,
  signal: AbortSignal,
): Promise<Counts> {
  const names = (produced.columns ?? []).map(({ name }) => name)
  const own = found.columns.some(({ name }) => name === taskColumn) ? [taskColumn] : []
  const columns = quoted([...names, ...own]).join(', ')
  const keys = quoted(key)
  // Temporary tables, alone, come without a commit. This one is made by the key, so that a key twice is told.
  await session.run(
    `CREATE TEMPORARY TABLE ${staging} (PRIMARY KEY (${keys.join(', ')})) ENGINE = InnoDB
     AS SELECT ${columns} FROM ${found.sql} WHERE FALSE`,
  )
  await loadRows(session, { table: staging, like: found.columns, task }, produced, signal)
  await session.run('START TRANSACTION')
  const known = `${found.sql} AS known FORCE INDEX (${identifier(index, mysqlNames)})`
  const same = keys.map((name) => `known.${name} = fresh.${name}`).join(' AND ')
  const changed = quoted(names.filter((name) => !key.includes(name)))
  const changes = changed.map((name) => `known.${name} = fresh.${name}`)
  // Values are compared byte by byte: “a” is changed by “A”, whatever the collation. What is not found is locked, too.
  const { info } = await session.run(
    `UPDATE ${staging} AS fresh STRAIGHT_JOIN ${known} ON ${same}
     SET ${changes.length > 0 ? changes.join(', ') : `known.${keys[0]} = known.${keys[0]}`}`,
  )
  const [, matched, updated] = /matched: (\d+)\s+Changed: (\d+)/.exec(info)?.map(Number) ?? []
  if (matched === undefined || updated === undefined) throw new Error(`MySQL tells of an UPDATE: ${info}`)
  const fresh = quoted([...names, ...own]).map((name) => `fresh.${name}`)
  const { affectedRows: inserted } = await session.run(
    `INSERT INTO ${found.sql} (${columns}) SELECT ${fresh.join(', ')}
     FROM ${staging} AS fresh LEFT JOIN ${known} ON ${same} WHERE known.${keys[0]} IS NULL`,
  )
  checkTaken(matched + inserted, produced.rows)
  return { inserted, updated, unchanged: matched - updated }
}
