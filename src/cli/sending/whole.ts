/** A file in one plain request, which begins again when it breaks. */
import { randomUUID } from 'node:crypto'
import type { Client } from '../client.ts'
import { type Field, queryOf } from './fields.ts'
import { type Persistence, persist } from './retry.ts'
import type { Source } from './source.ts'
import type { OnBytes } from './tally.ts'

/**
 * Sends it under a key of its own, so that what an answer that was lost had told is told again, and nothing comes into
 * being twice. A pipe cannot be read a second time, and is sent once.
 */
export async function sendWhole<T>(
  client: Client,
  path: string,
  {
    source,
    fields,
    onBytes,
  }: { readonly source: Source; readonly fields: readonly Field[]; readonly onBytes: OnBytes },
  persistence: Persistence,
): Promise<T> {
  const url = `${path}?${queryOf([['name', source.name], ...fields])}`
  const headers = { 'idempotency-key': randomUUID() }
  const send = () => client.upload<T>(url, source, onBytes, headers)
  return source.size === null ? await send() : await persist(persistence, send)
}
