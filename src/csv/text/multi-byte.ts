/**
 * The East Asian encodings, in which a character has one to four bytes, the first of them above 0x7F and none below
 * 0x30: so text can be cut behind any byte below that, line ends and commas among them. What a sequence of bytes means
 * is the word of Node's TextDecoder, except where its tables (ICU's) and the encoding's own differ.
 */
import { TextDecoder } from 'node:util'
import type { Decoder, Piece } from './decoder.ts'

interface Traits {
  /** How long a sequence can be. */
  readonly lengths: readonly number[]
  /** Characters that the decoder gives for bytes that mean nothing: controls, and private ones where it has no other. */
  readonly meaningless?: RegExp
}

const controls = /[\x80-\x9f\ue000-\uf8ff]/
const traits: Readonly<Record<string, Traits>> = {
  gb18030: { lengths: [1, 2, 4] },
  big5: { lengths: [1, 2], meaningless: controls },
  'euc-jp': { lengths: [1, 2, 3], meaningless: controls },
  'euc-kr': { lengths: [1, 2], meaningless: controls },
  shift_jis: { lengths: [1, 2] },
}

export const multiByteEncodings: ReadonlySet<string> = new Set(Object.keys(traits))

/** Longer stretches are divided where something in them is wrong, shorter ones looked at character by character. */
const shortBytes = 64
const longestSequence = 4

export class MultiByte implements Decoder {
  readonly unit = 1
  readonly bigEndian = false
  readonly ascii = true
  readonly #encoding: string
  readonly #traits: Traits
  readonly #decoder: TextDecoder
  /** Of one byte and of two, by these as a number; an empty text where they mean nothing. */
  readonly #known = new Map<number, string>()
  #unified: ReadonlyMap<number, string> | undefined

  constructor(encoding: string) {
    this.#encoding = encoding
    this.#traits = traits[encoding] ?? { lengths: [1] }
    // An error thrown for every fault would be dear where there are many.
    this.#decoder = new TextDecoder(encoding, { ignoreBOM: true })
  }

  whole(bytes: Buffer): number {
    const end = cutBefore(bytes, bytes.length)
    if (end > 0) return end
    let at = 0
    while (at + longestSequence < bytes.length) at += this.#length(bytes, at)
    return at
  }

  decode(bytes: Buffer): Piece[] {
    const pieces: Piece[] = []
    this.#decode(bytes, pieces)
    return pieces
  }

  #decode(bytes: Buffer, pieces: Piece[]): void {
    const text = this.#attempt(bytes)
    if (text !== undefined) {
      if (text !== '') pieces.push(text)
      return
    }
    const step = Math.max(shortBytes, bytes.length >>> 5)
    if (cutBehind(bytes, step) === bytes.length) {
      this.#walk(bytes, pieces)
      return
    }
    for (let from = 0; from < bytes.length; ) {
      const to = cutBehind(bytes, from + step)
      this.#decode(bytes.subarray(from, to), pieces)
      from = to
    }
  }

  #walk(bytes: Buffer, pieces: Piece[]): void {
    let text = ''
    for (let at = 0; at < bytes.length; ) {
      const length = this.#length(bytes, at)
      const sequence = this.#text(bytes, at, length)
      if (sequence === '') {
        if (text !== '') pieces.push(text)
        text = ''
        pieces.push(bytes.subarray(at, at + length))
      }
      text += sequence
      at += length
    }
    if (text !== '') pieces.push(text)
  }

  /** Of the sequence that begins there; where none does, of what is passed over, as the Encoding Standard has it. */
  #length(bytes: Buffer, at: number): number {
    const lead = bytes[at] ?? 0
    if (lead < 0x80) return 1
    for (const length of this.#traits.lengths) {
      if (at + length <= bytes.length && this.#text(bytes, at, length) !== '') return length
    }
    // A pair that means nothing goes as a pair, but ASCII is never taken away.
    return lead > 0x80 && lead < 0xff && (bytes[at + 1] ?? 0) >= 0x80 ? 2 : 1
  }

  #text(bytes: Buffer, at: number, length: number): string {
    if (length > 2) return this.#attempt(bytes.subarray(at, at + length)) ?? ''
    const key = bytes.readUIntBE(at, length)
    let text = this.#known.get(key)
    if (text === undefined) {
      text = this.#attempt(bytes.subarray(at, at + length)) ?? this.#unifiedHangul(key)
      this.#known.set(key, text)
    }
    return text
  }

  #attempt(bytes: Buffer): string | undefined {
    const text = this.#decoder.decode(bytes)
    if (text.includes('\ufffd')) return undefined
    if (this.#traits.meaningless?.test(text) === true) return undefined
    return this.#encoding === 'shift_jis' && movedControl.test(text) ? putBack(text) : text
  }

  /** The syllables that Windows adds to EUC-KR, of which the decoder knows nothing. */
  #unifiedHangul(key: number): string {
    if (this.#encoding !== 'euc-kr') return ''
    this.#unified ??= unifiedHangul(this.#decoder)
    return this.#unified.get(key) ?? ''
  }
}

/** The last place, not behind `end`, where text can be cut; 0 where there is none. */
function cutBefore(bytes: Buffer, end: number): number {
  let at = end
  while (at > 0 && (bytes[at - 1] ?? 0) >= 0x30) at--
  return at
}

/** The first place, not before `start`, where text can be cut; the end where there is none. */
function cutBehind(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length; at++) if ((bytes[at - 1] ?? 0) < 0x30) return at
  return bytes.length
}

/** ICU's table for Shift_JIS, IBM's, has three control characters in one another's place. */
const controlsMoved: ReadonlyMap<string, string> = new Map([
  ['\u001c', '\u001a'],
  ['\u007f', '\u001c'],
  ['\u001a', '\u007f'],
])
const movedControl = new RegExp(`[${[...controlsMoved.keys()].join('')}]`)

function putBack(text: string): string {
  return text.replaceAll(new RegExp(movedControl, 'g'), (control) => controlsMoved.get(control) ?? control)
}

/**
 * Unified Hangul Code (Windows code page 949): the syllables that KS X 1001 lacks, in Unicode's order, in the places
 * that EUC-KR leaves free. By the two bytes as a number.
 */
function unifiedHangul(decoder: TextDecoder): ReadonlyMap<number, string> {
  const pairs: number[] = []
  for (let lead = 0xb0; lead <= 0xc8; lead++) {
    for (let trail = 0xa1; trail <= 0xfe; trail++) pairs.push(lead, trail)
  }
  const standard = new Set(decoder.decode(Buffer.from(pairs)))
  // Two signs came later than the decoder's table.
  const table = new Map([
    [0xa2e6, '€'],
    [0xa2e7, '®'],
  ])
  let [lead, trail] = [0x81, 0x41]
  for (let code = 0xac00; code <= 0xd7a3; code++) {
    const syllable = String.fromCharCode(code)
    if (standard.has(syllable)) continue
    table.set(lead * 256 + trail, syllable)
    trail += trail === 0x5a ? 7 : trail === 0x7a ? 7 : 1
    if (trail > (lead <= 0xa0 ? 0xfe : 0xa0)) [lead, trail] = [lead + 1, 0x41]
  }
  return table
}
