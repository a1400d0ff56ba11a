/** A file in a buffer, a stretch at a time: the reader asks for more, and says from where on it still needs what it has. */
import { isUtf8 } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { cutBytes, firstBad } from './text/utf8.ts'

/** Read at once, unless it is told otherwise. */
const usualBlock = 512 << 10
/** Beyond this the rest is moved to the front before more is read, so that what is looked at stays in a core's cache. */
const turnBytes = 2 << 20

/** Bytes that are judged at first; where no fault is near, ever more. */
const leastJudged = 1 << 10

export class Window implements AsyncDisposable {
  /** What the kernel has taken it may have changed: it unescapes cells where they stand. */
  readonly bytes: Buffer
  /** Where the first byte of the buffer stands in the file. */
  offset: number
  /** How many bytes of the buffer are filled. */
  length = 0
  /** The file has no more. */
  ended = false
  /** The first byte that is not UTF-8; the length where there is none. A character cut off at the length is not judged. */
  soundTo = 0
  readonly #file: FileHandle
  readonly #end: number
  readonly #blockBytes: number
  #ahead: Promise<number> | undefined

  /** From one byte of the file to before another. */
  constructor(file: FileHandle, bytes: Buffer, start: number, end: number = Infinity, blockBytes: number = usualBlock) {
    this.#file = file
    this.bytes = bytes
    this.offset = start
    this.#end = end
    this.#blockBytes = blockBytes
  }

  /**
   * Reads on, and forgets what lies before `from`; returns where that is now. What is read beyond is under way when this
   * returns, so that the disk and the reader work at the same time.
   * @throws {RangeError} when the buffer is full of what is still needed.
   */
  async more(from: number): Promise<number> {
    const read = await (this.#ahead ?? this.#read(this.length))
    this.#ahead = undefined
    this.length += read
    this.ended = read === 0
    let at = from
    if (from > 0 && this.length + this.#blockBytes > turnBytes) at = this.#turn(from)
    if (!this.ended) {
      this.#ahead = this.#read(this.length)
      // Whoever asks for more is told; until then nobody is.
      this.#ahead.catch(() => undefined)
    }
    this.judge(this.soundTo)
    return at
  }

  /** Says anew, from some place on, how far the bytes are UTF-8; in time that grows with how far that is. */
  judge(from: number): void {
    let at = from
    for (let step = leastJudged; ; step *= 2) {
      const piece = this.bytes.subarray(at, Math.min(at + step, this.length))
      const isLast = at + step >= this.length
      const whole = piece.subarray(0, piece.length - (isLast && this.ended ? 0 : cutBytes(piece)))
      this.soundTo = at + (isUtf8(whole) ? whole.length : firstBad(whole))
      if (isLast || this.soundTo < at + whole.length) return
      at = this.soundTo
    }
  }

  /** Whether there is something between two places that is not UTF-8. */
  isSound(from: number, to: number): boolean {
    return to <= this.soundTo || isUtf8(this.bytes.subarray(from, to))
  }

  #turn(from: number): number {
    this.bytes.copyWithin(0, from, this.length)
    this.offset += from
    this.length -= from
    this.soundTo = Math.max(0, this.soundTo - from)
    return 0
  }

  async #read(at: number): Promise<number> {
    // A vector is loaded beyond the last byte, so that some room stays free.
    const space = Math.min(this.#blockBytes, this.bytes.length - at - 64)
    if (space <= 0) throw new RangeError('the window is full')
    const room = Math.min(space, this.#end - this.offset - at)
    let length = 0
    while (length < room) {
      const { bytesRead } = await this.#file.read(this.bytes, at + length, room - length, this.offset + at + length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The buffer may not be given up under a read.
    await this.#ahead?.catch(() => undefined)
    await this.#file.close()
  }
}
