/** What a client says that its bytes hash to, and whether they do. */
import { createHash, type Hash } from 'node:crypto'
import { AppError } from '../errors.ts'

export const checksumAlgorithms = ['sha256', 'sha1', 'sha512', 'md5'] as const
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number]

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  readonly digest: Buffer
}

/** The bytes as they are; `digests` has what they hash to once they have ended. */
export function hashing(
  source: AsyncIterable<Uint8Array>,
  algorithms: readonly ChecksumAlgorithm[],
): { readonly bytes: AsyncIterable<Uint8Array>; readonly digests: () => ReadonlyMap<ChecksumAlgorithm, Buffer> } {
  const hashes = new Map<ChecksumAlgorithm, Hash>(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
  async function* bytes() {
    for await (const chunk of source) {
      for (const hash of hashes.values()) hash.update(chunk)
      yield chunk
    }
  }
  const digests = () => new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest()]))
  return { bytes: hashes.size === 0 ? source : bytes(), digests }
}

/**
 * Reads to the end, and keeps nothing.
 * @returns hex.
 * @throws {AppError} too_large, when there are more bytes than that
 */
export async function sha256Of(source: AsyncIterable<Uint8Array>, most: number): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > most) throw new AppError('too_large', `It is larger than the ${most} bytes that are allowed.`)
    hash.update(chunk)
  }
  return hash.digest('hex')
}

/** @throws {AppError} checksum */
export function refuseOtherBytes({ algorithm, digest }: Checksum, found: Buffer): void {
  if (found.equals(digest)) return
  throw new AppError(
    'checksum',
    `The bytes that came hash to ${found.toString('hex')} (${algorithm}), not to ${digest.toString('hex')} as was told. ` +
      'They were damaged on their way; send them again.',
  )
}

/**
 * The same for bytes that are stored already, and the SHA-256 that were told of them, in hex.
 * @throws {AppError} checksum
 */
export function refuseOthers(told: readonly string[], sha256: string): void {
  for (const hex of told) {
    refuseOtherBytes({ algorithm: 'sha256', digest: Buffer.from(hex, 'hex') }, Buffer.from(sha256, 'hex'))
  }
}
