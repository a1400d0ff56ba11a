import { AppError } from '../errors.ts'

/** @throws {AppError} too_large, as soon as there are more bytes than that. */
export async function* limited(
  source: AsyncIterable<Uint8Array>,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > most) throw new AppError('too_large', `It is larger than the ${most} bytes that are allowed.`)
    yield chunk
  }
}
