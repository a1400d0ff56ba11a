import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

/**
 * Keeps web pages out while there is no identity. A browser on this machine reaches the loopback address for any page
 * it shows: a page that rebinds its own name to 127.0.0.1 (DNS rebinding) gives itself away by `Host`, one that posts
 * across sites by `Origin`.
 * @throws {AppError} invalid
 */
export function checkOrigin({ headers, method }: Pick<FastifyRequest, 'headers' | 'method'>): void {
  if (!loopback.test(headers.host ?? '')) {
    throw new AppError(
      'invalid',
      'Rowmill answers only to localhost, 127.0.0.1 and [::1]. Use one of them as the host.',
    )
  }
  if (method === 'GET' || method === 'HEAD' || headers.origin === undefined) return
  if (!loopback.test(headers.origin.replace(/^https?:\/\//i, ''))) {
    throw new AppError('invalid', 'A page of another site may not change anything here.')
  }
}
