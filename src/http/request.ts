import type { FastifyRequest } from 'fastify'
import { local, type Principal } from '../auth/authorize.ts'
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
