/** Rows on their way into a table of PostgreSQL. */
import type { Fail } from '../../failpoints.ts'
import type { Target } from '../../model.ts'
import type { OutputBalance } from '../../balances.ts'
import type { Delivered, Delivery, DeliveryId, Produced, WriteOptions } from '../../ports.ts'
import { describe, type Found, isFound, locate, type Place, placeOf, taskColumnSql, taskMark } from './catalog.ts'
import { quote } from './compare.ts'
import { loadRows } from './copy.ts'
import { dropKept, register, settle, takeTurn } from './ledger.ts'
import { createLike, inherit, keepCounting, refuseDependents, takePlace } from './replace.ts'
import type { Session } from './session.ts'
import { columnSql } from './types.ts'
import { checkKeys, createFresh, fresh, upsertRows } from './upsert.ts'
import {
  allInserted,
  balanceOf,
  checkUnmoved,
  type Committed,
  type Counts,
  cutBy,
  delivered,
  deliveredBefore,
  keptTable,
  keyColumns,
  parseTable,
  stagingTable,
} from '../tables.ts'

export interface DeliveryOptions {
  /** Of the sink. */
  readonly name: string
  readonly id: DeliveryId
  readonly attempt: number
  readonly target: Target
  readonly session: Session
  /** Opens further sessions, one each. */
  readonly more: readonly ((signal: AbortSignal) => Promise<Session>)[]
  readonly fail: Fail
}

/** @throws {AppError} conflict, when a later attempt has registered. */
export async function beginDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { id, attempt, target, session } = options
  const committed = await session.told(async () => {
    const { sql } = await locate(session.client, parseTable(target.table))
    return await register(session.client, id, attempt, { target: sql, mode: target.mode })
  })
  return new PostgresDelivery(options, committed)
}

/** What is written and only has to be committed. */
interface Written {
  readonly place: Place
  readonly counts: Counts
  readonly undoable: boolean
  /** Where the old rows or the old table are kept, or will be. */
  readonly kept: Place | undefined
  /** Puts the new table in its place, from which on nobody can read the old one until the commit. */
  readonly putInPlace?: () => Promise<void>
}

class PostgresDelivery implements Delivery {
  readonly delivered: Delivery['delivered']
  readonly #options: DeliveryOptions
  #written: Written | undefined
  /** A staging table that is committed already, quoted. */
  #staging: string | undefined

  constructor(options: DeliveryOptions, committed: Committed | undefined) {
    const { name, id, target } = options
    this.#options = options
    this.delivered = deliveredBefore(name, id, target, committed)
  }

  /** Everything but the commit. */
  async write(produced: Produced, options: WriteOptions): Promise<OutputBalance> {
    const { session } = this.#options
    this.#written = await cutBy(options.signal, session.cut, () => session.told(() => this.#write(produced, options)))
    return balanceOf(this.#written.counts)
  }

  async #write(produced: Produced, options: WriteOptions): Promise<Written> {
    const { session, target } = this.#options
    await this.#begin()
    const place = await locate(session.client, parseTable(target.table))
    checkUnmoved(isFound(place), target, produced)
    if (target.mode === 'upsert') return await this.#upsert(place, produced, options)
    if (target.mode === 'replace' && isFound(place)) return await this.#replace(place, produced, options)
    return isFound(place) ? await this.#append(place, produced, options) : await this.#make(place, produced, options)
  }

  async commit(): Promise<Delivered> {
    const { name, id, target, session } = this.#options
    const written = this.#written
    if (written === undefined) throw new Error(`output ${id.output} is committed before it is written`)
    await session.told(() => this.#commit(written))
    return delivered(name, id, target, written.counts, written.undoable)
  }

  async #commit({ place, counts, undoable, kept, putInPlace }: Written): Promise<void> {
    const { id, attempt, target, session, fail } = this.#options
    const { client } = session
    if (target.mode === 'replace' || kept !== undefined) {
      await takeTurn(client, place.sql)
      await dropKept(client, id, place.sql)
    }
    await putInPlace?.()
    fail?.('before-ledger')
    await settle(client, id, attempt, { target: place.sql, counts, undoable, kept: kept?.sql ?? null })
    fail?.('after-ledger')
    fail?.('before-commit')
    await client.query('COMMIT')
    this.#staging = undefined
    fail?.('after-commit')
  }

  async #begin(session: Session = this.#options.session): Promise<void> {
    await session.client.query('BEGIN')
    if (!this.#isMarked()) return
    await session.client.query(`SET LOCAL rowmill.task = '${this.#options.id.task}'`)
  }

  /** Whether rows carry their task, so that they are found again when it is undone. */
  #isMarked(): boolean {
    const { mode, undoable } = this.#options.target
    return mode === 'append' && undoable
  }

  async #append(found: Found, produced: Produced, { signal }: WriteOptions): Promise<Written> {
    const { client } = this.#options.session
    await this.#addColumns(found, produced)
    const rows = await loadRows([client], found.sql, produced, await describe(client, found), signal)
    const undoable = this.#isMarked() && (await taskMark(client, found)) === 'default'
    return { place: found, counts: allInserted(rows), undoable, kept: undefined }
  }

  /** A table that nobody sees before the commit. */
  async #make(place: Place, produced: Produced, options: WriteOptions): Promise<Written> {
    const isShared = this.#options.more.length > 0
    const made = isShared ? this.#stagingPlace(place) : place
    await this.#create(made, produced, [])
    const rows = await this.#fill(made, produced, options)
    const rename = async () => {
      await this.#options.session.client.query(`ALTER TABLE ${made.sql} RENAME TO ${quote(place.table)}`)
    }
    const written = { place, counts: allInserted(rows), undoable: this.#isMarked(), kept: undefined }
    return isShared ? { ...written, putInPlace: rename } : written
  }

  /** The old table stays in its place, and readable, until the new one is whole. */
  async #replace(found: Found, produced: Produced, options: WriteOptions): Promise<Written> {
    const { id, session, target } = this.#options
    const { client } = session
    await refuseDependents(client, found)
    const staging = this.#stagingPlace(found)
    await createLike(client, found, staging)
    const made = await locate(client, staging)
    if (!isFound(made)) throw new Error(`the table ${staging.sql} is not there, though it was just made`)
    await keepCounting(client, found, made)
    await this.#addColumns(made, produced)
    const rows = await this.#fill(made, produced, options, found)
    const kept = target.undoable ? placeOf(found.schema, keptTable(id)) : undefined
    const putInPlace = async () => {
      await inherit(client, found, made)
      await takePlace(client, found, made, kept?.table)
    }
    return { place: found, counts: allInserted(rows), undoable: kept !== undefined, kept, putInPlace }
  }

  async #upsert(place: Place, produced: Produced, { signal }: WriteOptions): Promise<Written> {
    const { id, session, target } = this.#options
    const { client } = session
    const key = keyColumns(target, produced)
    if (isFound(place)) await this.#addColumns(place, produced)
    else await this.#create(place, produced, key)
    const found = isFound(place) ? place : await locate(client, place)
    if (!isFound(found)) throw new Error(`the table ${place.sql} is not there, though it was just made`)
    const columns = (produced.columns ?? []).map((column) => ({ ...column, isThere: true }))
    const upsert = { found, table: target.table, key, columns }
    await createFresh(client, upsert)
    const rows = await loadRows([client], fresh, produced, await describe(client, found), signal)
    await checkKeys(client, upsert)
    const kept = target.undoable ? placeOf(found.schema, keptTable(id)) : undefined
    const counts = await upsertRows(client, upsert, rows, kept?.sql)
    return { place, counts, undoable: kept !== undefined, kept }
  }

  async #create({ sql }: Place, { columns = [] }: Produced, key: readonly string[]): Promise<void> {
    const lines = columns.map((column) => columnSql(column))
    // Default: the task of the session that copies, since a row in COPY's stream does not name it.
    if (this.#isMarked()) lines.push(taskColumnSql)
    if (key.length > 0) lines.push(`PRIMARY KEY (${key.map(quote).join(', ')})`)
    await this.#options.session.client.query(`CREATE TABLE ${sql} (${lines.join(', ')})`)
  }

  async #addColumns({ sql }: Place, { columns = [] }: Produced): Promise<void> {
    for (const column of columns.filter(({ isThere }) => !isThere)) {
      await this.#options.session.client.query(`ALTER TABLE ${sql} ADD COLUMN ${columnSql(column)}`)
    }
  }

  #stagingPlace({ schema }: Place): Place {
    const { id, attempt } = this.#options
    return placeOf(schema, stagingTable(id, attempt))
  }

  /**
   * Fills a table of our own, over as many connections as there are. For several it is committed before, so that all
   * sessions see it, and again when it is full.
   */
  async #fill({ sql }: Place, produced: Produced, { signal }: WriteOptions, like?: Found): Promise<number> {
    const { session, more } = this.#options
    const known = like === undefined ? [] : await describe(session.client, like)
    if (more.length === 0) return await loadRows([session.client], sql, produced, known, signal)
    await session.client.query('COMMIT')
    this.#staging = sql
    await using others = new AsyncDisposableStack()
    const sessions = [session]
    for (const open of more) sessions.push(others.use(await open(signal)))
    await Promise.all(sessions.map((one) => this.#begin(one)))
    const cut = () => sessions.forEach((one) => one.cut())
    const clients = sessions.map(({ client }) => client)
    const rows = await cutBy(signal, cut, () => loadRows(clients, sql, produced, known, signal))
    await Promise.all(clients.map((client) => client.query('COMMIT')))
    await this.#begin()
    return rows
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { session } = this.#options
    // What cannot be dropped now is by whoever loads next.
    if (this.#staging !== undefined) {
      await session.client.query(`ROLLBACK; DROP TABLE ${this.#staging}`).catch(() => undefined)
    }
    await session[Symbol.asyncDispose]()
  }
}
