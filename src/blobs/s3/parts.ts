/** A stream as parts of a multipart upload. */
import { createHash } from 'node:crypto'
import { release } from '../../release.ts'

/** A piece of the stream; `md5` as Content-MD5 wants it, in base64. The bytes are nobody else's. */
export interface Piece {
  readonly bytes: Buffer
  readonly md5: string
}

/** What S3 takes at most. */
export const mostParts = 10_000

/** A buffer that may stay small begins with as much. */
const smallBytes = 64 << 10

/** Parts grow by the size of the first with every thousand: with 8 MiB, 10,000 of them hold 461 GB. */
export function sizeOfPart(n: number, partBytes: number): number {
  return partBytes * (1 + Math.floor((n - 1) / 1_000))
}

/**
 * The stream in pieces of that size, the last one shorter; one empty piece of an empty stream.
 * @param pool buffers that are used again: whoever is done with a piece gives its buffer back. The collector would come
 *   too late for so large ones, so what is in the pool at the end is to be released.
 */
export async function* inPieces(
  source: AsyncIterable<Uint8Array>,
  partBytes: number,
  pool: ArrayBuffer[],
): AsyncGenerator<Piece> {
  let n = 1
  let piece = begin(sizeOfPart(n, partBytes), n === 1, pool)
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      // Full, and something comes after it: only so is the last piece never empty.
      if (piece.room() === 0) {
        yield piece.end()
        n++
        piece = begin(sizeOfPart(n, partBytes), false, pool)
      }
      const some = chunk.subarray(at, at + piece.room())
      piece.add(some)
      at += some.byteLength
    }
  }
  yield piece.end()
}

/** A piece that is being filled. A first one grows as it is filled: most objects are small. */
function begin(size: number, isFirst: boolean, pool: ArrayBuffer[]) {
  const hash = createHash('md5')
  let buffer = isFirst ? Buffer.allocUnsafeSlow(Math.min(size, smallBytes)) : take(size, pool)
  let used = 0
  return {
    room: () => size - used,
    add(some: Uint8Array) {
      if (used + some.byteLength > buffer.byteLength) buffer = grown(buffer, used, used + some.byteLength, size)
      buffer.set(some, used)
      used += some.byteLength
      hash.update(some)
    },
    end: (): Piece => ({ bytes: buffer.subarray(0, used), md5: hash.digest('base64') }),
  }
}

function grown(buffer: Buffer, used: number, needed: number, most: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(needed, 2 * buffer.byteLength)))
  larger.set(buffer.subarray(0, used))
  release(buffer)
  return larger
}

function take(size: number, pool: ArrayBuffer[]): Buffer {
  const found = pool.findIndex(({ byteLength }) => byteLength >= size)
  const [memory] = found === -1 ? [] : pool.splice(found, 1)
  return memory === undefined ? Buffer.allocUnsafeSlow(size) : Buffer.from(memory)
}
