/** What catalogs on database servers have in common: how long they are waited for, and what is said of them. */
import type { Named } from '../databases/unreachable.ts'
import { AppError } from '../errors.ts'

/** How long a server is waited for, in milliseconds; 0 for as long as it takes. */
export interface Patience {
  /** Sessions at once. */
  readonly sessions: number
  /** For a session. */
  readonly connectMs: number
  /** For another transaction that holds a lock. */
  readonly lockMs: number
  /** For a statement, by the server itself. */
  readonly statementMs: number
  /** For any answer: a server that has vanished says nothing, not even that it gives up. */
  readonly answerMs: number
}

/** For requests: whoever waits longer has gone. */
export const forRequests: Patience = {
  sessions: 10,
  connectMs: 5_000,
  lockMs: 10_000,
  statementMs: 20_000,
  answerMs: 25_000,
}

/** For migrations, which may take long, and wait for each other. */
export const forMigrations: Patience = { sessions: 1, connectMs: 10_000, lockMs: 0, statementMs: 0, answerMs: 0 }

export function server(product: string): Named {
  return { name: `The catalog (${product})`, url: 'ROWMILL_CATALOG_URL' }
}

/** A row that is there already, or that names one that is not. */
export function taken(options: { cause?: unknown }): AppError {
  return new AppError('conflict', 'The catalog has a row of that id already, or lacks one it refers to.', options)
}

export function damaged(options: { cause?: unknown }): AppError {
  return new AppError(
    'unavailable',
    'The catalog lacks a table: somebody has emptied its database. Restore it, or start the service again to begin anew.',
    options,
  )
}
