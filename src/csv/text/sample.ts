/** What is not ASCII in a file, as a sample of all of it: distinct stretches of it, every byte above 0x7F among them. */
import { blocksOf } from './blocks.ts'

/** Of the first block, which stands for most files whole, of every other, and in all: bytes. */
const firstShare = 4 << 10
const laterShare = 128
const most = 16 << 10
/** How many stretches of a block are looked at, since most of them may be well known. */
const looksPerBlock = 4000
/** Of a longer stretch, only so much. */
const longestStretch = 1 << 10

/** Bytes that no character of several bytes contains, in any encoding but UTF-16: all below 0x40 but the digits. */
const separates = Uint8Array.from({ length: 256 }, (_, byte) => (byte < 0x30 || (byte > 0x39 && byte < 0x40) ? 1 : 0))

/** @param start the byte to begin with. */
export async function sampleOf(path: string, start: number, signal: AbortSignal): Promise<Buffer[]> {
  const sample = new Sample()
  for await (const block of blocksOf(path, 4 << 20, start)) {
    signal.throwIfAborted()
    sample.add(block)
  }
  return sample.end()
}

class Sample {
  readonly #distinct = new Set<string>()
  readonly #seen = new Uint8Array(256)
  #budget = firstShare
  #left = most
  /** The last block ended within a stretch. */
  #amid = false

  add(block: Buffer): void {
    const { length } = block
    const seen = this.#seen
    let looks = looksPerBlock
    // The rest of a stretch that began in the block before is none by itself.
    let free = this.#amid ? endOf(block, 0) : 0
    for (let at = free; at < length; at++) {
      const byte = block[at] ?? 0
      if (byte < 0x80 || (looks <= 0 && seen[byte] === 1)) continue
      let from = at
      while (from > free && separates[block[from - 1] ?? 0] === 0) from--
      free = endOf(block, at)
      this.#take(block, from, free)
      looks = this.#budget > 0 ? looks - 1 : 0
      at = free
    }
    this.#amid = length > 0 && separates[block[length - 1] ?? 0] === 0
    this.#budget = Math.min(laterShare, this.#left)
  }

  #take(block: Buffer, from: number, end: number): void {
    let isNew = false
    for (let at = from; at < end; at++) {
      const byte = block[at] ?? 0
      isNew ||= byte >= 0x80 && this.#seen[byte] === 0
      this.#seen[byte] = 1
    }
    const stretch = block.toString('latin1', from, Math.min(end, from + longestStretch))
    if ((this.#left <= 0 && !isNew) || this.#distinct.has(stretch)) return
    this.#distinct.add(stretch)
    this.#budget -= stretch.length
    this.#left -= stretch.length
  }

  end(): Buffer[] {
    return Array.from(this.#distinct, (stretch) => Buffer.from(stretch, 'latin1'))
  }
}

function endOf(block: Buffer, from: number): number {
  let end = from
  while (end < block.length && separates[block[end] ?? 0] === 0) end++
  return end
}
