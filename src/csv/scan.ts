/**
 * One pass of native scans over a file, at about the speed of memory: what can be known of it without parsing. A file
 * whose facts allow it is provably simple (see `read.ts`); every other needs a parser.
 */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'

const LF = 0x0a
const CR = 0x0d
const QUOTE = 0x22

/** What is read at once. */
export const blockBytes = 4 << 20
/** What is looked at at once: small enough to stay in a core's cache for all the looks. */
export const sliceBytes = 256 << 10

/** Bytes a line may have, its end included. */
export const longestLine = 1 << 20

export interface Facts {
  readonly bytes: number
  /** Hex; null unless asked for. */
  readonly sha256: string | null
  /** The first bytes, mark included: enough to tell what a file that is no CSV might be. */
  readonly start: Buffer
  /** 0-based offsets of the first of each; -1 where there is none. */
  readonly quote: number
  readonly nul: number
  /** U+0001, which stands for a missing cell when DuckDB reads a plain file. */
  readonly soh: boolean
  readonly notUtf8: number
  /** Physical lines, a last one without a line end included. */
  readonly lines: number
  readonly blankLine: boolean
  /** The one line ending the whole file keeps to; undefined when it mixes them or has bare CRs. */
  readonly lineEnd: '\n' | '\r\n' | undefined
  /** Some line has more bytes than `longestLine`. */
  readonly longLine: boolean
}

export interface ScanOptions {
  readonly hash: boolean
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number) => void
}

export async function scan(path: string, { hash, signal, onProgress }: ScanOptions): Promise<Facts> {
  const digest = hash ? createHash('sha256') : undefined
  const lines = new LineCounter()
  const text = new Utf8Check()
  let start = Buffer.alloc(0)
  let [bytes, quote, nul, lineStart, soh, longLine] = [0, -1, -1, 0, false, false]
  for await (const block of blocksOf(path)) {
    signal.throwIfAborted()
    if (bytes === 0) start = Buffer.from(block.subarray(0, 64))
    digest?.update(block)
    for (let at = 0; at < block.length; at += sliceBytes) {
      const slice = block.subarray(at, at + sliceBytes)
      if (quote < 0 && slice.includes(QUOTE)) quote = bytes + slice.indexOf(QUOTE)
      if (nul < 0 && slice.includes(0)) nul = bytes + slice.indexOf(0)
      soh ||= slice.includes(1)
      text.add(slice)
      lines.add(slice)
      // Lines within a slice are short enough: only the one that reaches into it can be too long.
      const lineEnd = slice.indexOf(LF)
      longLine ||= bytes + (lineEnd < 0 ? slice.length : lineEnd + 1) - lineStart > longestLine
      if (lineEnd >= 0) lineStart = bytes + slice.lastIndexOf(LF) + 1
      bytes += slice.length
    }
    onProgress(bytes)
  }
  const sha256 = digest?.digest('hex') ?? null
  return { bytes, sha256, start, quote, nul, soh, notUtf8: text.end(), longLine, ...lines.end() }
}

/** The file in blocks, each valid until the next: one is read while the other is looked at. */
async function* blocksOf(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r')
  let [filling, ready] = [newBlock(), newBlock()]
  let filled = fill(file, filling)
  try {
    for (let length = await filled; length > 0; length = await filled) {
      ;[filling, ready] = [ready, filling]
      filled = fill(file, filling)
      yield ready.subarray(0, length)
    }
  } finally {
    // The file may not be closed under a read.
    await Promise.allSettled([filled])
  }
}

/** Of its own, and so aligned to words. */
function newBlock(): Buffer {
  return Buffer.from(new ArrayBuffer(blockBytes))
}

/** Reads until the block is full or the file ends, so that blocks stay aligned whatever a read returns. */
async function fill(file: FileHandle, block: Buffer): Promise<number> {
  let length = 0
  while (length < block.length) {
    const { bytesRead } = await file.read(block, length, block.length - length, null)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

/** Counts line ends: four bytes at a time while there is no CR, byte by byte from the first chunk that has one. */
class LineCounter {
  #lf = 0
  #cr = 0
  #crlf = 0
  #blank = false
  /** The last bytes seen, so that pairs across chunks count. */
  #last = LF
  #beforeLast = CR

  add(chunk: Buffer): void {
    if (this.#cr > 0 || chunk.includes(CR)) this.#addBytes(chunk)
    else this.#addWords(chunk)
    const { length } = chunk
    this.#beforeLast = length > 1 ? (chunk[length - 2] ?? 0) : this.#last
    this.#last = chunk[length - 1] ?? 0
  }

  /**
   * Newlines by exact zero-byte detection in a word (Hacker's Delight, 6-1): after XOR with newlines, `hit` has the top
   * bit of every byte that was one. Their counts add up in four byte-wide lanes, emptied before a lane can overflow.
   */
  #addWords(chunk: Buffer): void {
    const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length >>> 2)
    if (this.#last === LF && chunk[0] === LF) this.#blank = true
    let twice = 0
    let previous = 0
    for (let from = 0; from < words.length; from += 255) {
      const to = Math.min(from + 255, words.length)
      let lanes = 0
      for (let i = from; i < to; i++) {
        const word = (words[i] ?? 0) ^ 0x0a0a0a0a
        const hit = ~(((word & 0x7f7f7f7f) + 0x7f7f7f7f) | word | 0x7f7f7f7f)
        lanes = (lanes + (hit >>> 7)) | 0
        // A newline right behind another: within the word, or across from the previous one (words are little-endian).
        twice |= (hit & (hit << 8)) | (hit & 0x80 & (previous >>> 24))
        previous = hit
      }
      this.#lf += (lanes & 0xff) + ((lanes >>> 8) & 0xff) + ((lanes >>> 16) & 0xff) + (lanes >>> 24)
    }
    if (twice !== 0) this.#blank = true
    for (let i = words.length << 2; i < chunk.length; i++) {
      if (chunk[i] !== LF) continue
      this.#lf++
      if (i > 0 && chunk[i - 1] === LF) this.#blank = true
    }
  }

  #addBytes(chunk: Buffer): void {
    let [last, beforeLast] = [this.#last, this.#beforeLast]
    for (const byte of chunk) {
      if (byte === LF) {
        this.#lf++
        if (last === CR) this.#crlf++
        if (last === LF || (last === CR && beforeLast === LF)) this.#blank = true
      } else if (byte === CR) {
        this.#cr++
      }
      beforeLast = last
      last = byte
    }
  }

  end(): Pick<Facts, 'lines' | 'blankLine' | 'lineEnd'> {
    const lineEnd = this.#cr === 0 ? '\n' : this.#cr === this.#lf && this.#crlf === this.#lf ? '\r\n' : undefined
    return { lines: this.#lf + (this.#last === LF ? 0 : 1), blankLine: this.#blank, lineEnd }
  }
}

/** Strict UTF-8 over chunks: a character cut by a chunk's end is carried into the next one. */
class Utf8Check {
  #carry = Buffer.alloc(0)
  #offset = 0
  #bad = -1

  add(chunk: Buffer): void {
    if (this.#bad >= 0) return
    const head = Math.min(this.#carry.length === 0 ? 0 : 4, chunk.length)
    const seam = Buffer.concat([this.#carry, chunk.subarray(0, head)])
    // The seam: the carried bytes and as much of the chunk as completes their character.
    const skip = this.#carry.length === 0 ? 0 : characterLength(seam[0] ?? 0) - this.#carry.length
    if (this.#carry.length > 0 && !isUtf8(seam.subarray(0, this.#carry.length + skip))) {
      this.#bad = this.#offset - this.#carry.length
      return
    }
    const end = chunk.length - cutBytes(chunk)
    const body = chunk.subarray(skip, Math.max(skip, end))
    if (!isUtf8(body)) {
      this.#bad = this.#offset + skip + firstBad(body)
      return
    }
    this.#carry = Buffer.from(chunk.subarray(Math.max(skip, end)))
    this.#offset += chunk.length
  }

  /** The offset of the first byte that is not UTF-8, or -1. */
  end(): number {
    if (this.#bad < 0 && this.#carry.length > 0) this.#bad = this.#offset - this.#carry.length
    return this.#bad
  }
}

function characterLength(lead: number): number {
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
}

/** How many bytes at the end begin a character that the chunk does not finish. */
function cutBytes(chunk: Buffer): number {
  for (let back = 1; back <= Math.min(3, chunk.length); back++) {
    const byte = chunk[chunk.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return characterLength(byte) > back ? back : 0
  }
  return 0
}

function firstBad(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length) {
    const length = characterLength(bytes[at] ?? 0)
    if (!isUtf8(bytes.subarray(at, at + length))) return at
    at += length
  }
  return at
}
