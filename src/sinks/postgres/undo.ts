/** What a task has delivered to a table of PostgreSQL, taken back. */
import type { Fail } from '../../failpoints.ts'
import type { Undone } from '../../balances.ts'
import type { DeliveryId, Undoable, Undoing } from '../../ports.ts'
import { describe, type Found, isFound, locate, type Place, placeOf, taskMark } from './catalog.ts'
import { leftKeys, takeBack } from './kept.ts'
import { dropKept, findLoad, forget, isLoadedSince, type Loaded, register, settle, takeTurn } from './ledger.ts'
import { inherit, refuseDependents, takePlace } from './replace.ts'
import type { Session } from './session.ts'
import { quote } from './compare.ts'
import { cannotUndo } from '../refusals.ts'
import { type Committed, cutBy, keptTable, keyColumns, parseTable, taskColumn } from '../tables.ts'

export interface UndoOptions {
  readonly id: DeliveryId
  readonly attempt: number
  readonly of: Undoable
  readonly session: Session
  readonly fail: Fail
}

/** @throws {AppError} conflict, when a later attempt has registered, or there is no way back. */
export async function beginUndo(options: UndoOptions): Promise<Undoing> {
  const { id, attempt, of, session } = options
  return await session.told(async () => {
    const place = await locate(session.client, parseTable(of.target.table))
    const committed = await register(session.client, id, attempt, {
      target: place.sql,
      mode: 'undo',
      undoes: of.task,
    })
    if (committed !== undefined) return new PostgresUndo(options, await undoneBefore(options, place, committed))
    await need(options, place)
    return new PostgresUndo(options, undefined)
  })
}

/** A load that can be undone, and what that takes. */
interface Way {
  readonly load: Loaded
  readonly found: Found
  /** Where what it needs is kept; undefined of rows that carry their task. */
  readonly kept: Found | undefined
}

/** @throws {AppError} conflict, saying what stands in the way. */
async function need({ of, session: { client } }: UndoOptions, place: Place): Promise<Way> {
  const { table } = of.target
  const load = await findLoad(client, of)
  if (load === undefined) throw cannotUndo(table, 'unknown')
  if (await isLoadedSince(client, of)) throw cannotUndo(table, 'loadedSince')
  const isKept = load.mode !== 'append'
  if (!load.undoable) throw cannotUndo(table, isKept && of.target.undoable ? 'keptGone' : 'notKept')
  if (!isFound(place) || place.sql !== load.target) throw cannotUndo(table, 'tableGone')
  if (!isKept && (await taskMark(client, place)) === 'none') throw cannotUndo(table, 'unmarked')
  const kept = isKept ? await findKept(client, place, of) : undefined
  if (isKept && (kept === undefined || kept.sql !== load.kept)) throw cannotUndo(table, 'keptGone')
  if (load.mode === 'replace' && kept !== undefined && !(await isLike(client, place, kept))) {
    throw cannotUndo(table, 'changed')
  }
  return { load, found: place, kept }
}

/** Whether a table can be the one that took the place of another: it has all of its columns. */
async function isLike(client: Session['client'], place: Found, kept: Found): Promise<boolean> {
  const present = new Set((await describe(client, place)).map(({ name }) => name))
  return (await describe(client, kept)).every(({ name }) => present.has(name))
}

async function findKept(client: Session['client'], { schema }: Place, id: DeliveryId): Promise<Found | undefined> {
  const kept = await locate(client, placeOf(schema, keptTable(id)))
  return isFound(kept) ? kept : undefined
}

/** Its counts stand in the ledger as those of a load do: removed, restored, left. */
async function undoneBefore(
  { of, session: { client } }: UndoOptions,
  place: Place,
  before: Committed,
): Promise<Undone> {
  const { inserted: removed, updated: restored, unchanged: left } = before
  const kept = of.target.mode === 'upsert' ? await findKept(client, place, of) : undefined
  return {
    removed,
    restored,
    left,
    leftKeys: kept === undefined ? [] : await leftKeys(client, await keyOf(client, of, kept), kept),
  }
}

async function keyOf(client: Session['client'], { target }: Undoable, kept: Found): Promise<string[]> {
  return keyColumns(target, { columns: await describe(client, kept) })
}

class PostgresUndo implements Undoing {
  readonly undone: Undone | undefined
  readonly #options: UndoOptions
  #written: (Way & { readonly undone: Undone }) | undefined

  constructor(options: UndoOptions, undone: Undone | undefined) {
    this.#options = options
    this.undone = undone
  }

  async write(signal: AbortSignal): Promise<void> {
    const { session } = this.#options
    this.#written = await cutBy(signal, session.cut, () => session.told(() => this.#write()))
  }

  async #write(): Promise<Way & { readonly undone: Undone }> {
    const { of, session } = this.#options
    const { client } = session
    await client.query('BEGIN')
    const place = await locate(client, parseTable(of.target.table))
    // Nobody writes to a table that gives way, and all can read it until the commit.
    if (of.target.mode === 'replace' && isFound(place)) {
      await takeTurn(client, place.sql)
      await client.query(`LOCK TABLE ${place.sql} IN SHARE ROW EXCLUSIVE MODE`)
    }
    const way = await need(this.#options, place)
    return { ...way, undone: await this.#takeBack(way) }
  }

  async #takeBack({ load, found, kept }: Way): Promise<Undone> {
    const { of, session } = this.#options
    const { client } = session
    if (kept === undefined) {
      const { rowCount } = await client.query(`DELETE FROM ${found.rows} WHERE ${quote(taskColumn)} = $1`, [of.task])
      const removed = rowCount ?? 0
      return { removed, restored: 0, left: Math.max(0, load.counts.inserted - removed), leftKeys: [] }
    }
    if (load.mode === 'replace') {
      await refuseDependents(client, found)
      const removed = await this.#count(found)
      return { removed, restored: await this.#count(kept), left: 0, leftKeys: [] }
    }
    const key = await keyOf(client, of, kept)
    const counts = await takeBack(client, { found, key }, kept)
    return { ...counts, leftKeys: await leftKeys(client, key, kept) }
  }

  async #count({ sql }: Found): Promise<number> {
    const { rows } = await this.#options.session.client.query<{ n: string }>(`SELECT count(*) AS n FROM ${sql}`)
    return Number(rows[0]?.n)
  }

  async commit(): Promise<Undone> {
    const { id, session } = this.#options
    const written = this.#written
    if (written === undefined) throw new Error(`the undo of output ${id.output} is committed before it is written`)
    await session.told(() => this.#commit(written))
    return written.undone
  }

  async #commit({ load, found, kept, undone }: Way & { readonly undone: Undone }): Promise<void> {
    const { id, attempt, of, session, fail } = this.#options
    const { client } = session
    await takeTurn(client, found.sql)
    const isReplaced = load.mode === 'replace' && kept !== undefined
    if (isReplaced) {
      await inherit(client, found, kept)
      await takePlace(client, found, kept, keptTable(id))
    }
    fail?.('before-ledger')
    const isOurs = await forget(client, of, isReplaced ? null : load.kept)
    if (!isOurs) throw cannotUndo(of.target.table, 'keptGone')
    if (isReplaced) await dropKept(client, id, found.sql)
    await settle(client, id, attempt, {
      target: found.sql,
      counts: { inserted: undone.removed, updated: undone.restored, unchanged: undone.left },
      undoable: false,
      kept: isReplaced ? placeOf(found.schema, keptTable(id)).sql : null,
    })
    fail?.('after-ledger')
    fail?.('before-commit')
    await client.query('COMMIT')
    fail?.('after-commit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.session[Symbol.asyncDispose]()
  }
}
