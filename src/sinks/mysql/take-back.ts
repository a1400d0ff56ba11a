/** Rows that are put back as they were, or taken out, as long as they are as they were left. */
import { identifier, mysqlNames } from '../../identifiers.ts'
import { columnNamed, type Found } from './catalog.ts'
import { keptColumns, keyIndex, rowColumn } from './kept.ts'
import type { Session } from './session.ts'
import { foundRows, quoted, sameKey, sameValue } from './sql.ts'
import { taskColumn } from '../tables.ts'

/** Takes out the rows that a task has brought. Leaves a transaction open. @returns how many there were. */
export async function takeOut(session: Session, { sql }: Found, task: string): Promise<number> {
  await session.run('START TRANSACTION')
  const { affectedRows } = await session.run(`DELETE FROM ${sql} WHERE ${taskColumn} = ?`, [task])
  return affectedRows
}

export interface Pairs {
  readonly found: Found
  readonly kept: Found
  readonly key: readonly string[]
  /** The index by which the key tells rows apart. */
  readonly index: string
  /** Name of a temporary table, quoted. */
  readonly staging: string
}

/** Undoes an upsert, pair by pair; of the kept table it leaves the pairs that it cannot. Leaves a transaction open. */
export async function takeBack(
  session: Session,
  pairs: Pairs,
): Promise<{ readonly removed: number; readonly restored: number; readonly left: number }> {
  const { found, kept, key, index, staging } = pairs
  const keys = quoted(key)
  const known = `${found.sql} AS known FORCE INDEX (${identifier(index, mysqlNames)})`
  const earlier = `${kept.sql} AS earlier FORCE INDEX (${keyIndex})`
  await session.run(
    `CREATE TEMPORARY TABLE ${staging} (${rowColumn} varchar(6), PRIMARY KEY (${keys.join(', ')})) ENGINE = InnoDB
     AS SELECT ${keys.join(', ')} FROM ${kept.sql} WHERE FALSE`,
  )
  await session.run('START TRANSACTION')
  const names = keptColumns(kept)
  const same = names.map((name) => sameValue(columnNamed(kept, name) ?? { name, type: '' }, 'known', 'later'))
  await session.run(
    `INSERT INTO ${staging} (${keys.join(', ')}, ${rowColumn})
     SELECT ${keys.map((name) => `later.${name}`).join(', ')}, earlier.${rowColumn}
     FROM ${kept.sql} AS later STRAIGHT_JOIN ${known} ON ${sameKey(key, 'known', 'later')}
     LEFT JOIN ${earlier} ON earlier.${rowColumn} = 'before' AND ${sameKey(key, 'earlier', 'later')}
     WHERE later.${rowColumn} = 'after' AND ${same.join(' AND ')} FOR UPDATE`,
  )
  // Out first: a row that comes back may have a value in common with one that goes, of which there may be but one.
  const { affectedRows: removed } = await session.run(
    `DELETE known FROM ${staging} AS fresh STRAIGHT_JOIN ${known} ON ${sameKey(key, 'known', 'fresh')}
     WHERE fresh.${rowColumn} IS NULL`,
  )
  const changes = quoted(names.filter((name) => !key.includes(name))).map((name) => `known.${name} = earlier.${name}`)
  const restored =
    changes.length === 0
      ? 0
      : foundRows(
          await session.run(
            `UPDATE ${staging} AS fresh
             STRAIGHT_JOIN ${earlier} ON earlier.${rowColumn} = 'before' AND ${sameKey(key, 'earlier', 'fresh')}
             STRAIGHT_JOIN ${known} ON ${sameKey(key, 'known', 'fresh')} SET ${changes.join(', ')}`,
          ),
        )
  await session.run(
    `DELETE earlier FROM ${staging} AS fresh STRAIGHT_JOIN ${earlier} ON ${sameKey(key, 'earlier', 'fresh')}`,
  )
  const [rest] = await session.rows<{ left: number }>(
    `SELECT count(*) AS \`left\` FROM ${kept.sql} WHERE ${rowColumn} = 'after'`,
  )
  return { removed, restored, left: rest?.left ?? 0 }
}
