/** From places in the decoded text back to places in the bytes it was made of. */
import { HeldFile } from './held-file.ts'

/** How line ends look in the source. */
export interface SourceUnits {
  readonly unit: 1 | 2
  readonly bigEndian: boolean
}

interface Place {
  readonly source: number
  readonly text: number
}

const LF = 0x0a
const CR = 0x0d
const blockBytes = 64 << 10

/**
 * CR and LF are as many in the source as in the text, and each stands for itself: so the start of a line is found by
 * counting them from the nearest place that is known. Reads both files, which must not change.
 */
export class SourceMap implements AsyncDisposable {
  readonly #source: string
  readonly #text: string
  readonly #units: SourceUnits
  /** Ascending; the first is the start of both. */
  readonly #places: readonly Place[]
  #last: Place | undefined
  #files: Promise<Files> | undefined

  constructor(source: string, text: string, units: SourceUnits, places: readonly Place[]) {
    this.#source = source
    this.#text = text
    this.#units = units
    this.#places = places
  }

  /**
   * Where the line stands in the source that begins there in the text: 0-based bytes, a mark included. Cheap when asked
   * in ascending order.
   */
  async sourceOffset(textOffset: number): Promise<number> {
    const known = this.#nearest(textOffset)
    const { source, text } = await this.#open()
    const ends = await countLineEnds(text, known.text, textOffset)
    const found = await behindLineEnds(source, known.source, ends, this.#units)
    this.#last = { source: found, text: textOffset }
    return found
  }

  /**
   * The bytes of a record that begins a line in the text and ends before a line end, or with the text.
   * @param most of a longer record, only so many.
   */
  async sourceBytes(textOffset: number, textLength: number, most: number): Promise<{ offset: number; bytes: Buffer }> {
    const { source, text } = await this.#open()
    const offset = await this.sourceOffset(textOffset)
    const within = await countLineEnds(text, textOffset, textOffset + textLength)
    const lastLine = await behindLineEnds(source, offset, within, this.#units)
    // No character takes more than twice the bytes that it has in UTF-8; and the line end.
    const bytes = await source.bytes(offset, Math.min(most, 2 * textLength + 4))
    const start = Math.min(bytes.length, lastLine - offset)
    const { found, behind } = seekLineEnd(bytes.subarray(start), 1, this.#units)
    return { offset, bytes: bytes.subarray(0, found === 0 ? bytes.length : start + behind - this.#units.unit) }
  }

  async #open(): Promise<Files> {
    this.#files ??= openBoth(this.#source, this.#text)
    return await this.#files
  }

  #nearest(textOffset: number): Place {
    let [low, high] = [0, this.#places.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#places[middle]?.text ?? 0) <= textOffset) low = middle
      else high = middle
    }
    const place = this.#places[low] ?? { source: 0, text: 0 }
    const last = this.#last
    return last !== undefined && last.text <= textOffset && last.text > place.text ? last : place
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = await this.#files
    await files?.source[Symbol.asyncDispose]()
    await files?.text[Symbol.asyncDispose]()
  }
}

interface Files {
  readonly source: HeldFile
  readonly text: HeldFile
}

async function openBoth(sourcePath: string, textPath: string): Promise<Files> {
  const source = await HeldFile.open(sourcePath)
  try {
    return { source, text: await HeldFile.open(textPath) }
  } catch (error) {
    await source[Symbol.asyncDispose]()
    throw error
  }
}

async function countLineEnds(file: HeldFile, from: number, to: number): Promise<number> {
  let count = 0
  for (let at = from; at < to; ) {
    const block = await file.bytes(at, Math.min(blockBytes, to - at))
    if (block.length === 0) break
    for (const byte of block) if (byte === LF || byte === CR) count++
    at += block.length
  }
  return count
}

/** The place right behind so many line ends. */
async function behindLineEnds(file: HeldFile, from: number, ends: number, units: SourceUnits): Promise<number> {
  let left = ends
  let at = from
  while (left > 0) {
    const block = await file.bytes(at, blockBytes)
    const whole = block.subarray(0, block.length - (block.length % units.unit))
    if (whole.length === 0) break
    const { found, behind } = seekLineEnd(whole, left, units)
    if (found === left) return at + behind
    left -= found
    at += whole.length
  }
  return at
}

/** Goes on behind so many line ends, or behind the last one if there are not as many; says how many there were. */
function seekLineEnd(bytes: Buffer, ends: number, { unit, bigEndian }: SourceUnits): { found: number; behind: number } {
  let [found, behind] = [0, 0]
  for (let at = 0; at + unit <= bytes.length && found < ends; at += unit) {
    const low = bytes[bigEndian ? at + unit - 1 : at]
    if ((low !== LF && low !== CR) || (unit === 2 && bytes[bigEndian ? at : at + 1] !== 0)) continue
    found++
    behind = at + unit
  }
  return { found, behind }
}
