/** What an upsert into a table of PostgreSQL would come to. */
import type { Target } from '../../model.ts'
import type { OutputBalance } from '../../balances.ts'
import type { Produced } from '../../ports.ts'
import { describe, isFound, locate, needUniqueKey } from './catalog.ts'
import { loadRows } from './copy.ts'
import type { Session } from './session.ts'
import { checkKeys, createFresh, foresee, fresh } from './upsert.ts'
import { balanceOf, checkUnmoved, cutBy, keyColumns, parseTable } from '../tables.ts'

/** Reads the table, and writes to a temporary one that ends with the session. */
export async function rehearse(
  session: Session,
  target: Target,
  produced: Produced,
  signal: AbortSignal,
): Promise<OutputBalance> {
  const { client } = session
  const counts = await cutBy(signal, session.cut, () =>
    session.told(async () => {
      await client.query('BEGIN')
      const found = await locate(client, parseTable(target.table))
      checkUnmoved(isFound(found), target, produced)
      if (!isFound(found)) throw new RangeError('there is nothing to rehearse without a table')
      const key = keyColumns(target, produced)
      const upsert = { found, table: target.table, key, columns: produced.columns ?? [] }
      await needUniqueKey(client, found, key, target.table)
      await createFresh(client, upsert)
      const rows = await loadRows([client], fresh, produced, await describe(client, found), signal)
      await checkKeys(client, upsert)
      return await foresee(client, upsert, rows)
    }),
  )
  return balanceOf(counts)
}
