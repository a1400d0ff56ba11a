/** Rows as they were before an upsert, and as they were after it: in a table of their own, in pairs. */
import { maxLeftKeys, type Undone } from '../../balances.ts'
import type { Found } from './catalog.ts'
import type { Session } from './session.ts'
import { quoted } from './sql.ts'

/** Says which of a pair a row is: `before` or `after`. */
export const rowColumn = '_rowmill_row'

/** Those of the target that can be written. */
export function keptColumns({ columns }: Found): string[] {
  return columns.filter(({ name, isComputed }) => !isComputed && name !== rowColumn).map(({ name }) => name)
}

/** The index of its key. */
export const keyIndex = '_rowmill_key'

/** Commits by itself. @param kept quoted. */
export async function createKept(session: Session, kept: string, found: Found, key: readonly string[]): Promise<void> {
  await session.run(
    `CREATE TABLE ${kept} (${rowColumn} varchar(6), INDEX ${keyIndex} (${quoted(key).join(', ')})) ENGINE = InnoDB
     AS SELECT ${quoted(keptColumns(found)).join(', ')} FROM ${found.sql} WHERE FALSE`,
  )
}

/** @param from tables of which one is `known`, the target. */
export async function keepBefore(session: Session, kept: string, found: Found, from: string): Promise<number> {
  return await keep(session, kept, found, `'before' FROM ${from}`)
}

export async function keepAfter(session: Session, kept: string, found: Found, from: string): Promise<number> {
  return await keep(session, kept, found, `'after' FROM ${from}`)
}

async function keep(session: Session, kept: string, found: Found, rest: string): Promise<number> {
  const columns = quoted(keptColumns(found))
  const { affectedRows } = await session.run(
    `INSERT INTO ${kept} (${columns.join(', ')}, ${rowColumn})
     SELECT ${columns.map((name) => `known.${name}`).join(', ')}, ${rest}`,
  )
  return affectedRows
}

/** The keys of rows that an undo has left, from what remains. */
export async function leftKeys(
  session: Session,
  { sql, columns }: Found,
  key: readonly string[],
): Promise<Undone['leftKeys']> {
  const names = quoted(key)
  const texts = names.map((name, i) => {
    const { type = '' } = columns.find((column) => column.name === key[i]) ?? {}
    return `${/binary|blob|^bit/.test(type) ? `HEX(${name})` : `CAST(${name} AS CHAR)`} AS k${i}`
  })
  const rows = await session.rows<Record<string, string | null>>(
    `SELECT ${texts.join(', ')} FROM ${sql} AS pair
     WHERE ${rowColumn} = 'after' ORDER BY ${names.map((name) => `pair.${name}`).join(', ')} LIMIT ${maxLeftKeys}`,
  )
  return rows.map((row) => Object.fromEntries(key.map((name, i) => [name, row[`k${i}`] ?? null])))
}
