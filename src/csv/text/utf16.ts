/** UTF-16: whether a file without a mark is in it, and whether one that begins so stays so. */
import { isUtf8 } from 'node:buffer'
import { blocksOf } from './blocks.ts'
import { cutBytes } from './utf8.ts'

export interface Utf16Guess {
  readonly encoding: 'utf-16le' | 'utf-16be'
  readonly confidence: number
}

/**
 * Judges by the units that are ASCII: text in UTF-16 has its delimiters and line ends so, whatever its language, and
 * half of its bytes are zero where the language is English. Other text with a few zero bytes has hardly any.
 * @param start the first bytes of a file.
 */
export function guessUtf16(start: Buffer): Utf16Guess | undefined {
  if (!start.includes(0)) return undefined
  const [little, big] = [unitsOf(start, false), unitsOf(start, true)]
  const [encoding, units] = little.ascii >= big.ascii ? (['utf-16le', little] as const) : (['utf-16be', big] as const)
  const share = units.ascii / units.all
  const odd = units.zero + units.lone
  if (share < 0.02 || odd * 20 > units.ascii) return undefined
  // It is valid UTF-8 as well where one byte of nearly every unit is a control character.
  const valid = isUtf8(start.subarray(0, start.length - cutBytes(start)))
  if (valid && units.controls < 0.8 * units.all) return undefined
  return { encoding, confidence: odd > 0 ? 0.8 : share > 0.3 ? 0.99 : units.lineEnds > 0 ? 0.9 : 0.5 }
}

interface Units {
  all: number
  ascii: number
  zero: number
  /** Halves of characters without the other one. */
  lone: number
  lineEnds: number
  /** Whose upper byte is a control character. */
  controls: number
}

function unitsOf(bytes: Buffer, bigEndian: boolean): Units {
  const count: Units = { all: bytes.length >>> 1, ascii: 0, zero: 0, lone: 0, lineEnds: 0, controls: 0 }
  let high = false
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    const unit = bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)
    if (unit === 0) count.zero++
    if (unit === 0x0a || unit === 0x0d) count.lineEnds++
    if ((unit >= 0x20 && unit < 0x7f) || unit === 0x0a || unit === 0x0d || unit === 0x09) count.ascii++
    if (unit < 0x2000) count.controls++
    const low = (unit & 0xfc00) === 0xdc00
    if (high !== low) count.lone++
    high = (unit & 0xfc00) === 0xd800
  }
  return count
}

/** So many units in a row of two ASCII bytes each, a line end among them, are no language. */
const longRun = 16

/** Where text of one byte a character begins that was put behind text in UTF-16: 0-based, -1 where there is none. */
export async function foreignRun(path: string, signal: AbortSignal): Promise<number> {
  let offset = 0
  let run = 0
  let lineEnd = false
  for await (const block of blocksOf(path)) {
    signal.throwIfAborted()
    for (let at = 0; at + 1 < block.length; at += 2) {
      const [one, other] = [block[at] ?? 0, block[at + 1] ?? 0]
      if (!isText(one) || !isText(other)) {
        run = 0
        lineEnd = false
        continue
      }
      run++
      lineEnd ||= one === 0x0a || other === 0x0a || one === 0x0d || other === 0x0d
      if (run >= longRun && lineEnd) return offset + at + 2 - 2 * run
    }
    offset += block.length
  }
  return -1
}

function isText(byte: number): boolean {
  return byte < 0x7f && (byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)
}
