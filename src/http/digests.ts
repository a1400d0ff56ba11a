/** What a client says that its body hashes to: RFC 9530, in headers or behind the body. Algorithms we do not know do not count. */
import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'

const fields = ['content-digest', 'repr-digest'] as const

/**
 * The SHA-256 that were told, in hex; to be asked once the whole body has come.
 * @throws {AppError} invalid, at once, for a header that is malformed
 */
export function toldDigests({ headers, raw }: Pick<FastifyRequest, 'headers' | 'raw'>): () => string[] {
  const told = fields.flatMap((field) => sha256In(headers[field]))
  return () => [...told, ...fields.flatMap((field) => sha256In(raw.trailers[field]))]
}

/** A structured field's dictionary (RFC 8941) of byte sequences: `sha-256=:BASE64=:, sha-512=:…:`. */
function sha256In(header: string | string[] | undefined): string[] {
  if (header === undefined) return []
  return [header]
    .flat()
    .join(',')
    .split(',')
    .flatMap((entry) => {
      const [, algorithm, base64] = /^\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(entry) ?? []
      if (algorithm === undefined || base64 === undefined) throw malformed(entry)
      if (algorithm !== 'sha-256') return []
      const digest = Buffer.from(base64, 'base64')
      if (digest.length !== 32) throw malformed(entry)
      return [digest.toString('hex')]
    })
}

function malformed(entry: string): AppError {
  return new AppError('invalid', `“${entry.trim()}” is no digest as RFC 9530 has it. Send sha-256=:BASE64:.`)
}
