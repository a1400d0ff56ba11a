/**
 * Tables of PostgreSQL (14 and later), loaded by COPY. Rows and ledger row commit together; rows of a table that is new,
 * or takes the place of another, may be copied over several connections into a staging table, which then becomes it.
 */
import { AppError } from '../../errors.ts'
import type { Fail } from '../../failpoints.ts'
import type { TableSink } from '../../ports.ts'
import { columnsOf, isFound, locate } from './catalog.ts'
import { beginDelivery } from './delivery.ts'
import { rehearse } from './rehearse.ts'
import { connect, sessionName } from './session.ts'
import { beginUndo } from './undo.ts'
import { parseTable } from '../tables.ts'

/**
 * @param name of the sink, as pipelines know it.
 * @param url besides what the driver knows, `connections` (of 1 to 8) says over how many rows are copied.
 */
export function postgresSink(name: string, url: string, fail?: Fail): TableSink {
  const { server, connections } = parseUrl(name, url)
  return {
    kind: 'tables',
    rows: 'tabbed',
    async check(target) {
      await using session = await connect(name, server, 'rowmill')
      return await session.told(async () => {
        const place = await locate(session.client, parseTable(target.table))
        return isFound(place) ? await columnsOf(session.client, place) : undefined
      })
    },
    async begin(id, attempt, target) {
      const open = (signal?: AbortSignal) => connect(name, server, sessionName(id, attempt), signal)
      const more = Array.from({ length: connections - 1 }, () => open)
      const session = await open()
      try {
        return await beginDelivery({ name, id, attempt, target, session, more, fail })
      } catch (error) {
        await session[Symbol.asyncDispose]()
        throw error
      }
    },
    async rehearse(target, produced, signal) {
      await using session = await connect(name, server, 'rowmill', signal)
      return await rehearse(session, target, produced, signal)
    },
    async undo(id, attempt, of) {
      const session = await connect(name, server, sessionName(id, attempt))
      try {
        return await beginUndo({ id, attempt, of, session, fail })
      } catch (error) {
        await session[Symbol.asyncDispose]()
        throw error
      }
    },
  }
}

const mostConnections = 8

function parseUrl(name: string, url: string): { server: string; connections: number } {
  const parsed = new URL(url)
  const connections = Number(parsed.searchParams.get('connections') ?? 1)
  parsed.searchParams.delete('connections')
  if (Number.isInteger(connections) && connections >= 1 && connections <= mostConnections) {
    return { server: parsed.href, connections }
  }
  const setting = `ROWMILL_SINK_${name.toUpperCase()}_URL`
  throw new AppError('invalid', `${setting}: connections is a whole number from 1 to ${mostConnections}.`)
}
