/**
 * Requests that are sent again under the same Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): what they create
 * is created once. What has come of a key is noted in the transaction that creates it.
 */
import { createHash } from 'node:crypto'
import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { NewReceipt, Receipt } from '../entries.ts'
import type { IngestDeps } from './deps.ts'

/** The receipt of a request, to be noted with what it creates; undefined where it has no key. */
export type ReceiptOf = (request: unknown) => NewReceipt | undefined

export interface Once<T> {
  /** Does what is asked for. */
  readonly work: (receiptOf: ReceiptOf) => Promise<T>
  /**
   * Answers with what has come of it already.
   * @param check is called with the request, and throws when it is another than the one before.
   */
  readonly replay: (receipt: Receipt, check: (request: unknown) => void) => Promise<T>
}

/**
 * @param key as the client sent it; undefined does the work.
 * @throws {AppError} conflict, while another request with the key is at work; unprocessable, when that was another
 *   request; what the work throws: the key is free again then.
 */
export async function once<T>(
  deps: Pick<IngestDeps, 'catalog' | 'leaseMs' | 'log' | 'now'>,
  principal: Principal,
  key: string | undefined,
  { work, replay }: Once<T>,
): Promise<T> {
  if (key === undefined) return await work(() => undefined)
  const { catalog, leaseMs, log, now } = deps
  const hold = { owner: principal.id, key: hash(key), holder: newId(now()) }
  const found = await catalog.holdKey(hold, leaseMs)
  if (found === undefined) {
    throw new AppError('conflict', 'A request with this Idempotency-Key is being answered. Ask again when it is done.')
  }
  if (found !== 'held') return await replay(found, (request) => refuseOther(found, request))
  const beat = setInterval(() => {
    catalog.holdKey(hold, leaseMs).catch((err: unknown) => log.warn({ err }, 'an Idempotency-Key could not be held'))
  }, leaseMs / 3)
  try {
    return await work((request) => ({ ...hold, request: hash(request) }))
  } catch (error) {
    clearInterval(beat)
    await catalog.dropKey(hold).catch((err: unknown) => log.warn({ err }, 'an Idempotency-Key could not be let go'))
    throw error
  } finally {
    clearInterval(beat)
  }
}

function refuseOther(receipt: Receipt, request: unknown): void {
  if (receipt.request === hash(request)) return
  throw new AppError(
    'unprocessable',
    'This Idempotency-Key came with another request before. Send the same one, or take a new key.',
  )
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, inOrder)).digest('hex')
}

/** In which order the members of an object come makes no other request of it. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
