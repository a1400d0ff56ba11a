/** Strict UTF-8. */
import { isUtf8 } from 'node:buffer'
import { blocksOf } from './blocks.ts'

/** What the first byte of a character says about its length; 1 also where it can begin none. */
function characterLength(lead: number): number {
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
}

/** How many bytes at the end begin a character that is not finished there. */
export function cutBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return characterLength(byte) > back ? back : 0
  }
  return 0
}

/** Text, and each byte that is none by itself. */
export function decodeUtf8(bytes: Buffer): (string | Buffer)[] {
  if (isUtf8(bytes)) return [bytes.toString()]
  const pieces: (string | Buffer)[] = []
  let from = 0
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes[at] ?? 0)
    if (isUtf8(bytes.subarray(at, at + length))) {
      at += length
      continue
    }
    if (at > from) pieces.push(bytes.toString('utf8', from, at))
    pieces.push(bytes.subarray(at, ++at))
    from = at
  }
  if (from < bytes.length) pieces.push(bytes.toString('utf8', from))
  return pieces
}

export interface Utf8Check {
  /** Of the first byte that is no UTF-8; nothing behind it has been looked at. */
  readonly bad: number
  /** Of the first sequence that changes the character set as ISO-2022-JP does. */
  readonly escape: number
}

/** 0-based offsets; -1 where there is none. At the speed of memory. */
export async function checkUtf8(path: string, signal: AbortSignal, blockBytes?: number): Promise<Utf8Check> {
  let carry = Buffer.alloc(0)
  let offset = 0
  let escape = -1
  for await (const block of blocksOf(path, blockBytes)) {
    signal.throwIfAborted()
    const missing = carry.length === 0 ? 0 : characterLength(carry[0] ?? 0) - carry.length
    const character = Buffer.concat([carry, block.subarray(0, missing)])
    const rest = block.subarray(missing)
    const unfinished = block.length < missing
    if (!unfinished && !isUtf8(character)) return { bad: offset - carry.length, escape }
    const end = rest.length - cutBytes(rest)
    if (!isUtf8(rest.subarray(0, end))) return { bad: offset + missing + firstBad(rest), escape }
    if (escape < 0 && block.includes(0x1b)) escape = shiftAt(block, offset)
    carry = unfinished ? character : Buffer.from(rest.subarray(end))
    offset += block.length
  }
  return { bad: carry.length > 0 ? offset - carry.length : -1, escape }
}

/** By halves: what stands before the first fault is sound, wherever it is cut between characters. */
export function firstBad(bytes: Buffer): number {
  let [low, high] = [0, bytes.length]
  while (high - low > 4) {
    let middle = (low + high) >>> 1
    while (middle > low && ((bytes[middle] ?? 0) & 0xc0) === 0x80) middle--
    if (middle === low) break
    if (isUtf8(bytes.subarray(low, middle))) low = middle
    else high = middle
  }
  for (let length = 0; low < high; low += length) {
    length = characterLength(bytes[low] ?? 0)
    if (!isUtf8(bytes.subarray(low, low + length))) break
  }
  return low
}

function shiftAt(block: Buffer, offset: number): number {
  const found = ['\u001b$B', '\u001b$@'].map((shift) => block.indexOf(shift)).filter((at) => at >= 0)
  return found.length === 0 ? -1 : offset + Math.min(...found)
}
