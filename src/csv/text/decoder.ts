/** Bytes in an encoding → text, and exactly which bytes are none. The same whichever way the bytes are cut. */
import { codePages } from './code-pages.ts'
import { multiByteEncodings, MultiByte } from './multi-byte.ts'
import { cutBytes, decodeUtf8 } from './utf8.ts'

/** Text, or bytes of the source that are none in its encoding. */
export type Piece = string | Buffer

export interface Decoder {
  /** Bytes of a unit. CR and LF are one unit each, and no other character has a unit that looks like them. */
  readonly unit: 1 | 2
  readonly bigEndian: boolean
  /** Whether bytes below 0x80 are always the ASCII characters, unless they follow one above. */
  readonly ascii: boolean
  /** How many of the first bytes can be decoded apart from what may follow; less than 8 are left. */
  whole(bytes: Buffer): number
  /** Pieces in the order of the bytes. A mark is text like any other. */
  decode(bytes: Buffer): Piece[]
}

/** @param encoding as `checkEncodingName` gives it. */
export function decoderOf(encoding: string): Decoder {
  if (encoding === 'utf-8') return utf8
  if (encoding === 'utf-16le' || encoding === 'utf-16be') return utf16(encoding === 'utf-16be')
  const page = codePages[encoding]
  if (page !== undefined) return codePage(page)
  return multiByteEncodings.has(encoding) ? new MultiByte(encoding) : singleByte(encoding)
}

/** The bytes that begin the text and are none of it, or no bytes at all. */
export function markOf(encoding: string): Buffer {
  return Buffer.from(marks[encoding] ?? '', 'hex')
}

const marks: Readonly<Record<string, string>> = {
  'utf-8': 'efbbbf',
  'utf-16le': 'fffe',
  'utf-16be': 'feff',
  gb18030: '84319533',
}

const utf8: Decoder = {
  unit: 1,
  bigEndian: false,
  ascii: true,
  whole: (bytes) => bytes.length - cutBytes(bytes),
  decode: decodeUtf8,
}

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

function utf16(bigEndian: boolean): Decoder {
  return {
    unit: 2,
    bigEndian,
    ascii: false,
    whole(bytes) {
      const even = bytes.length & ~1
      const lastHigh = even === 0 ? 0 : (bytes[even - (bigEndian ? 2 : 1)] ?? 0)
      return (lastHigh & 0xfc) === 0xd8 ? even - 2 : even
    },
    decode(bytes) {
      const even = bytes.subarray(0, bytes.length & ~1)
      const text = (bigEndian ? Buffer.from(even).swap16() : even).toString('utf16le')
      const pieces: Piece[] = []
      let from = 0
      if (!text.isWellFormed()) {
        for (const { index } of text.matchAll(loneSurrogate)) {
          if (index > from) pieces.push(text.slice(from, index))
          pieces.push(bytes.subarray(2 * index, 2 * index + 2))
          from = index + 1
        }
      }
      if (from < text.length) pieces.push(text.slice(from))
      if (even.length < bytes.length) pieces.push(bytes.subarray(even.length))
      return pieces
    },
  }
}

function codePage(upper: string): Decoder {
  return {
    unit: 1,
    bigEndian: false,
    ascii: true,
    whole: (bytes) => bytes.length,
    decode: (bytes) => [
      bytes.toString('latin1').replaceAll(/[\x80-\xff]/g, (char) => upper.charAt(char.charCodeAt(0) - 0x80)),
    ],
  }
}

function singleByte(encoding: string): Decoder {
  const decoder = new TextDecoder(encoding, { fatal: true })
  const isLatin1 = encoding === 'windows-1252'
  let bad: readonly boolean[] | undefined

  function attempt(bytes: Buffer): string | undefined {
    if (isLatin1) {
      // Much faster, and the same where the one range is not used in which the two differ.
      const text = bytes.toString('latin1')
      if (!/[\x80-\x9f]/.test(text)) return text
    }
    try {
      return decoder.decode(bytes)
    } catch {
      return undefined
    }
  }

  return {
    unit: 1,
    bigEndian: false,
    ascii: true,
    whole: (bytes) => bytes.length,
    decode(bytes) {
      const text = attempt(bytes)
      if (text !== undefined) return [text]
      bad ??= Array.from({ length: 256 }, (_, byte) => attempt(Buffer.from([byte])) === undefined)
      const pieces: Piece[] = []
      let from = 0
      for (let at = 0; at <= bytes.length; at++) {
        if (at < bytes.length && bad[bytes[at] ?? 0] !== true) continue
        if (at > from) pieces.push(attempt(bytes.subarray(from, at)) ?? '')
        if (at < bytes.length) pieces.push(bytes.subarray(at, at + 1))
        from = at + 1
      }
      return pieces
    },
  }
}

/** Bytes of a source as people can read them: the text, and what is none as `\xNN`. */
export function showBytes(bytes: Buffer, encoding: string): string {
  return decoderOf(encoding)
    .decode(bytes)
    .map((piece) => (typeof piece === 'string' ? piece : piece.toString('hex').replaceAll(/../g, String.raw`\x$&`)))
    .join('')
}
