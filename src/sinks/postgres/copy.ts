/** Rows into a table by COPY, over one connection or several at once. */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Client } from 'pg'
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams'
import type { Produced } from '../../ports.ts'
import { quote, type Typed } from './compare.ts'
import { exactly } from './exact.ts'
import { checkTaken } from '../tables.ts'

const lineFeed = 0x0a

/**
 * Copies all rows, just as they are, or fails.
 * @param clients a session each, over which the rows are dealt.
 * @param table quoted.
 * @param known its columns, as far as they were there before.
 * @returns how many rows there were.
 */
export async function loadRows(
  clients: readonly Client[],
  table: string,
  produced: Produced,
  known: readonly Typed[],
  signal: AbortSignal,
): Promise<number> {
  const { columns = [] } = produced
  const sql = `COPY ${table} (${columns.map(({ name }) => quote(name)).join(', ')}) FROM STDIN`
  const rows = await copyRows(clients, sql, exactly(produced.open(signal), columns, known), signal)
  if (produced.isGuess !== true) checkTaken(rows, produced.rows)
  return rows
}

/**
 * @param rows tabbed text, in which a line feed always ends a row.
 * @returns how many rows the server has taken, over all connections.
 */
async function copyRows(clients: readonly Client[], sql: string, rows: Readable, signal: AbortSignal): Promise<number> {
  const copies = clients.map((client) => client.query(copyFrom(sql)))
  const [only, ...others] = copies
  if (only === undefined) throw new RangeError('there is no connection to copy over')
  if (others.length === 0) await pipeline(rows, only, { signal })
  else await deal(rows, copies, signal)
  return copies.reduce((sum, { rowCount }) => sum + rowCount, 0)
}

/** Each connection gets the next whole rows as soon as it can take some. */
async function deal(rows: Readable, copies: readonly CopyStreamQuery[], signal: AbortSignal): Promise<void> {
  const ends = Promise.all(copies.map((copy) => finished(copy, { signal })))
  // Whoever waits for them is told; until then nobody is.
  ends.catch(() => undefined)
  try {
    await Promise.race([ends, hand(rows, copies)])
    await ends
  } catch (error) {
    rows.destroy()
    for (const copy of copies) copy.destroy()
    throw error
  }
}

async function hand(rows: Readable, copies: readonly CopyStreamQuery[]): Promise<void> {
  const idle = [...copies]
  const draining = new Set<Promise<void>>()
  // Not joined before: copies of all that passes would keep the garbage collector busy.
  const give = async (pieces: readonly Buffer[]) => {
    while (idle.length === 0) await Promise.race(draining)
    const copy = idle.shift()
    if (copy === undefined) throw new RangeError('no connection is idle')
    const takesMore = pieces.map((piece) => copy.write(piece)).at(-1)
    if (takesMore !== false) return idle.push(copy)
    const drained: Promise<void> = drain(copy).finally(() => {
      idle.push(copy)
      draining.delete(drained)
    })
    // Whoever waits for it is told; perhaps nobody does.
    drained.catch(() => undefined)
    return draining.add(drained)
  }
  let rest: Buffer[] = []
  for await (const chunk of rows as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(lineFeed) + 1
    if (end === 0) rest.push(chunk)
    else {
      await give([...rest, chunk.subarray(0, end)])
      rest = [chunk.subarray(end)]
    }
  }
  await give(rest)
  for (const copy of copies) copy.end()
}

async function drain(copy: CopyStreamQuery): Promise<void> {
  await once(copy, 'drain')
}
