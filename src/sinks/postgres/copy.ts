/** Rows into a table by COPY, over one connection or several at once. */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Client } from 'pg'
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams'

const lineFeed = 0x0a

/**
 * @param rows tabbed text, in which a line feed always ends a row.
 * @returns how many rows the server has taken, over all connections.
 */
export async function copyRows(
  clients: readonly Client[],
  sql: string,
  rows: Readable,
  signal: AbortSignal,
): Promise<number> {
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
  const give = async (piece: Buffer) => {
    while (idle.length === 0) await Promise.race(draining)
    const copy = idle.shift()
    if (copy === undefined) throw new RangeError('no connection is idle')
    if (copy.write(piece)) return idle.push(copy)
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
      await give(Buffer.concat([...rest, chunk.subarray(0, end)]))
      rest = [chunk.subarray(end)]
    }
  }
  const last = Buffer.concat(rest)
  if (last.length > 0) await give(last)
  for (const copy of copies) copy.end()
}

async function drain(copy: CopyStreamQuery): Promise<void> {
  await once(copy, 'drain')
}
