/** What is told of database servers, whoever talks to them. */
import { type ErrorCode, errnoOf } from '../errors.ts'

/** A database server as messages speak of it; nothing of its URL is ever told. */
export interface Named {
  /** What a message begins with, such as `The database warehouse (PostgreSQL)`. */
  readonly name: string
  /** Where its URL stands, such as `ROWMILL_CATALOG_URL`. */
  readonly url: string
}

const gone = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'EAI_AGAIN'])

/** An error's code, and what went wrong. */
export type Meaning = readonly [code: ErrorCode, what: string]

/** What the system says when there is no server to say anything; undefined when that is not it. */
export function unreachable(error: unknown, { url }: Named): Meaning | undefined {
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOTFOUND') return ['unprocessable', `there is no such host; correct ${url}`]
  if (!gone.has(errno)) return undefined
  return ['unavailable', `it cannot be reached (${errno}); look whether it runs, and is where ${url} says`]
}

/** What to do about an error of this code, behind what it says. */
export function againIf(code: ErrorCode): string {
  return code === 'unavailable' ? ' Try again.' : ''
}
