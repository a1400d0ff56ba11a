import { isAscii } from 'node:buffer'
import { blocksOf } from './blocks.ts'
import { decoderOf, type Piece } from './decoder.ts'

/** A stretch of a file that can be decoded by itself. */
export interface Decoded {
  /** Valid until the next. */
  readonly bytes: Buffer
  /** Where they stand in the file. */
  readonly offset: number
  /** None when all the bytes are ASCII, and so their own text in UTF-8. */
  readonly pieces: readonly Piece[] | undefined
}

export interface DecodedOptions {
  readonly signal: AbortSignal
  /** The byte to begin with. */
  readonly start?: number
  readonly blockBytes?: number | undefined
}

/** A file decoded stretch by stretch, in bounded memory; the same text however the blocks fall. */
export async function* decoded(
  path: string,
  encoding: string,
  { signal, start = 0, blockBytes = 128 << 10 }: DecodedOptions,
): AsyncGenerator<Decoded> {
  const decoder = decoderOf(encoding)
  let carry = Buffer.alloc(0)
  let offset = start
  for await (const block of blocksOf(path, blockBytes, start)) {
    signal.throwIfAborted()
    const bytes = carry.length === 0 ? block : Buffer.concat([carry, block])
    if (decoder.ascii && isAscii(bytes)) {
      yield { bytes, offset, pieces: undefined }
      offset += bytes.length
      carry = Buffer.alloc(0)
      continue
    }
    const whole = bytes.subarray(0, decoder.whole(bytes))
    if (whole.length > 0) yield { bytes: whole, offset, pieces: decoder.decode(whole) }
    offset += whole.length
    carry = Buffer.from(bytes.subarray(whole.length))
  }
  if (carry.length > 0) yield { bytes: carry, offset, pieces: decoder.decode(carry) }
}
