/** What each kind of database brings to the catalog; the rest of it is the same for all. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, RawBuilder, Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Dialect } from './dialect.ts'
import type { Tables } from './tables.ts'

/** Its errors are AppErrors, and Collisions among them. */
export interface Database {
  readonly db: Kysely<Tables>
  /** The database's own clock, in milliseconds: the one clock that all processes share. */
  readonly now: RawBuilder<number>
  readonly dialect: Dialect
  /** Whether a statement that writes can give back what it has written. */
  readonly returns: boolean
  readonly fail?: Fail
  /**
   * Makes whoever locks the same name wait until the transaction has ended. For what is not there yet and may be made by
   * one only: there is no row to be locked.
   */
  lock(trx: Transaction<Tables>, ...name: readonly string[]): Promise<void>
  /** What the database's own check finds wrong, a line each; slow. */
  checkIntegrity(): Promise<string[]>
}

/** Two transactions waited for each other, and this one had to give way: nothing of it is left. */
export class Collision extends AppError {}

/** More often than a sound database lets two transactions meet. */
const mostTries = 10

/**
 * Runs work in one transaction, durable once the promise resolves; anew when another was in its way, so it must not have
 * any effect but on the database. Every statement sees what others have committed by then: who decides by what it has
 * read must have locked it.
 * @throws {AppError} what the work throws, and nothing of it is left; or unavailable, when the database went away: then it
 *   may be there all the same.
 */
export async function transact<T>(
  { db, fail }: Pick<Database, 'db' | 'fail'>,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      const result = await db.transaction().execute(async (trx) => {
        const value = await work(trx)
        fail?.('before-catalog-commit')
        return value
      })
      fail?.('after-catalog-commit')
      return result
    } catch (error) {
      if (!(error instanceof Collision) || tries === mostTries) throw error
      await sleep(tries * tries)
    }
  }
}
