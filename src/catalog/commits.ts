/**
 * One connection to SQLite, shared by transactions that become durable together. Each has the connection to itself from
 * its beginning to its end, within a savepoint; the commit, whose sync is what takes the time, is one for all that have
 * come by then (what databases call group commit).
 */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as othersHaveCome } from 'node:timers/promises'
import { AppError } from '../errors.ts'

/** How the connection is used. Its errors are AppErrors. */
export interface Use {
  /** Runs at the open connection, or opens it; waits while another process has the lock. */
  run<T>(work: (db: DatabaseSync) => T): Promise<T>
  /** @throws {AppError} unavailable, when what is committed now would be lost. */
  check(): void
}

type Ending = Pick<PromiseWithResolvers<void>, 'resolve' | 'reject'>

export class Commits {
  readonly #use: Use
  /** When nobody will have the connection any more. */
  #free: Promise<void> = Promise.resolve()
  /** Lets the next one at the connection. */
  #leave: () => void = () => {}
  /** Of the transactions that have ended and are not durable yet. */
  #waiting: Ending[] = []

  constructor(use: Use) {
    this.#use = use
  }

  /** Waits until the connection is free. It is the caller's from then on, until the transaction ends. */
  async begin(): Promise<void> {
    await this.#enter()
    try {
      await this.#use.run((db) => {
        // Nobody's: what is left of one that could not be rolled back.
        if (db.isTransaction && this.#waiting.length === 0) db.exec('rollback')
        // A transaction that begins by reading and then writes would fail, not wait, when another process wrote between.
        if (!db.isTransaction) db.exec('begin immediate')
        db.exec('savepoint one')
      })
    } catch (error) {
      this.#leave()
      throw error
    }
  }

  /** Within a transaction. */
  async run<T>(work: (db: DatabaseSync) => T): Promise<T> {
    try {
      return await this.#use.run((db) => {
        if (db.isTransaction) return work(db)
        throw new AppError('unavailable', 'The catalog has taken this back. Try again.')
      })
    } catch (error) {
      // After a full disk or an I/O error SQLite has rolled back by itself, and with this one all that were not durable.
      await this.#use
        .run((db) => db.isTransaction || this.#settle(({ reject }) => reject(error)))
        .catch(() => undefined)
      throw error
    }
  }

  /** Ends the transaction, whatever comes of it. Resolves once it is durable. */
  async commit(): Promise<void> {
    try {
      await this.run((db) => db.exec('release one'))
    } catch (error) {
      await this.rollback()
      throw error
    }
    const { promise, ...ending } = Promise.withResolvers<void>()
    // Those whose requests have come in by now come along.
    if (this.#waiting.push(ending) === 1) void othersHaveCome().then(() => this.flush())
    this.#leave()
    await promise
  }

  async rollback(): Promise<void> {
    try {
      await this.#use.run((db) => {
        if (db.isTransaction) db.exec(this.#waiting.length > 0 ? 'rollback to one; release one' : 'rollback')
      })
    } catch (error) {
      // Then none of what it has to do with may become durable. Whoever comes next rolls it back, and hears of it.
      this.#settle(({ reject }) => reject(error))
    } finally {
      this.#leave()
    }
  }

  /** Makes durable what has ended by now. */
  async flush(): Promise<void> {
    await this.#enter()
    try {
      if (this.#waiting.length === 0) return
      await this.#use.run((db) => {
        this.#use.check()
        db.exec('commit')
      })
      this.#settle(({ resolve }) => resolve())
    } catch (error) {
      this.#settle(({ reject }) => reject(error))
      await this.#use.run((db) => db.isTransaction && db.exec('rollback')).catch(() => undefined)
    } finally {
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    const before = this.#free
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#free = promise
    await before
    this.#leave = resolve
  }

  #settle(end: (one: Ending) => void): void {
    for (const one of this.#waiting.splice(0)) end(one)
  }
}
