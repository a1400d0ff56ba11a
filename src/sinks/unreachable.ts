import { type ErrorCode, errnoOf } from '../errors.ts'

const gone = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'EAI_AGAIN'])

/** What the system says when there is no server to say anything; undefined when that is not it. */
export function unreachable(error: unknown): readonly [code: ErrorCode, what: string] | undefined {
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOTFOUND') return ['unprocessable', 'there is no such host; correct the URL of the sink']
  if (!gone.has(errno)) return undefined
  return ['unavailable', `it cannot be reached (${errno}); look whether it runs, and is where the URL of the sink says`]
}

/** What to do about an error of this code, behind what it says. */
export function againIf(code: ErrorCode): string {
  return code === 'unavailable' ? ' Try again.' : ''
}
