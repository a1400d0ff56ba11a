/**
 * Tables of MySQL 8 and MariaDB (10.6 and later, whose RENAME is atomic), loaded by LOAD DATA LOCAL INFILE. Rows and ledger
 * row commit together; a whole table of them takes its place by one RENAME.
 */
import type { Fail } from '../../failpoints.ts'
import { mysqlNames } from '../../identifiers.ts'
import type { Target } from '../../model.ts'
import type { OutputBalance } from '../../balances.ts'
import type { Produced, TableSink } from '../../ports.ts'
import { columnsOf, findTable, needTransactions, needUniqueKey, placeOf } from './catalog.ts'
import { MysqlDelivery } from './delivery.ts'
import { LedgerRow } from './ledger.ts'
import { connect, type Session } from './session.ts'
import { beginUndo } from './undo.ts'
import { rehearseRows } from './upsert.ts'
import { balanceOf, checkUnmoved, cutBy, keyColumns, parseTable, stagingPrefix, tableIdentifier } from '../tables.ts'

/** @param name of the sink, as pipelines know it. */
export function mysqlSink(name: string, url: string, fail?: Fail): TableSink {
  const open = ({ table }: Target, signal?: AbortSignal) => connect(name, url, parseTable(table).table, signal)
  /** Whatever goes wrong, the session ends. */
  const begin = async <T>(target: Target, call: (session: Session) => Promise<T>): Promise<T> => {
    const session = await open(target)
    try {
      return await call(session)
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }
  return {
    kind: 'tables',
    rows: 'tabbed',
    async check(target) {
      await using session = await open(target)
      const found = await findTable(session, placeOf(session, target.table))
      return found === undefined ? undefined : columnsOf(found)
    },
    begin: (id, attempt, target) =>
      begin(target, async (session) => {
        const place = placeOf(session, target.table)
        const ledger = new LedgerRow(session, id, attempt, place, target.mode)
        const committed = await ledger.register()
        const again = (within: AbortSignal) => open(target, within)
        return new MysqlDelivery({ session, open: again, ledger, id, attempt, target, place, committed, fail })
      }),
    async rehearse(target, produced, signal) {
      const nothing = () => undefined
      return await cutBy(signal, nothing, async () => {
        await using session = await open(target, signal)
        return await rehearse(session, target, produced, signal)
      })
    },
    undo: (id, attempt, of) => begin(of.target, (session) => beginUndo({ session, id, attempt, of, fail })),
  }
}

async function rehearse(
  session: Session,
  target: Target,
  produced: Produced,
  signal: AbortSignal,
): Promise<OutputBalance> {
  const { schema, table } = placeOf(session, target.table)
  const found = await findTable(session, { schema, table })
  checkUnmoved(found !== undefined, target, produced)
  if (found === undefined) throw new Error(`an upsert into ${table} is rehearsed, and there is no such table`)
  needTransactions(found)
  const key = keyColumns(target, produced)
  const index = await needUniqueKey(session, found, key)
  const staging = tableIdentifier({ schema, table: `${stagingPrefix}rehearsal` }, mysqlNames)
  return balanceOf(await rehearseRows(session, { found, index, key, staging, mark: undefined }, produced, signal))
}
