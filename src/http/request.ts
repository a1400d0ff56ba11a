import type { FastifyRequest } from 'fastify'
import { local, type Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { maxWait } from './schemas.ts'

/** Who asks. The one place that will read tokens. */
export function principal(_request: FastifyRequest): Principal {
  return local
}

/** Milliseconds the client would wait for a task's end: `?wait=`, else `Prefer: wait=` (RFC 7240), both in seconds. */
export function patience({ headers }: FastifyRequest, wait: number | undefined): number {
  const preferred = /(?:^|[,;\s])wait=(\d{1,9})\b/i.exec(String(headers['prefer'] ?? ''))?.[1]
  return Math.min(wait ?? Number(preferred ?? 0), maxWait) * 1000
}

/** Aborted when nobody is left to answer: the client has gone, or the server is about to close. */
export function tillGone(request: FastifyRequest, closing: AbortSignal): AbortSignal {
  return AbortSignal.any([request.signal, closing])
}

/**
 * The client's Idempotency-Key: a structured field's string, or bare, as most clients send it.
 * @throws {AppError} invalid
 */
export function idempotencyKey({ headers }: FastifyRequest): string | undefined {
  const given = headers['idempotency-key']
  if (given === undefined) return undefined
  const text = String(given).trim()
  const key = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? text
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new AppError('invalid', 'The Idempotency-Key must have 1 to 255 visible ASCII characters, such as a UUID has.')
}
