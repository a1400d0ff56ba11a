/** Text → bytes in an encoding: what Node can only do the other way round. */
import { decoderOf } from '../src/csv/text/decoder.ts'
import { multiByteEncodings } from '../src/csv/text/multi-byte.ts'

/** Undefined for text that has a character which the encoding lacks. */
export type Encode = (text: string) => Buffer | undefined

const encoders = new Map<string, Encode>()

/** Made once for each encoding: those of East Asia have thousands of characters. */
export function encoderOf(encoding: string): Encode {
  const encode = encoders.get(encoding) ?? createEncoder(encoding)
  encoders.set(encoding, encode)
  return encode
}

function createEncoder(encoding: string): Encode {
  if (encoding === 'utf-8') return (text) => Buffer.from(text)
  if (encoding === 'utf-16le') return (text) => Buffer.from(text, 'utf16le')
  if (encoding === 'utf-16be') return (text) => Buffer.from(text, 'utf16le').swap16()
  const decoder = decoderOf(encoding)
  const known = new Map<string, Buffer>()
  const add = (...codes: number[]) => {
    const bytes = Buffer.from(codes)
    const [char, ...more] = decoder.decode(bytes)
    if (typeof char === 'string' && more.length === 0 && !known.has(char)) known.set(char, bytes)
  }
  for (let byte = 0; byte < 0x100; byte++) add(byte)
  for (let lead = 0x81; multiByteEncodings.has(encoding) && lead < 0xff; lead++) {
    for (let trail = 0x40; trail < 0xff; trail++) add(lead, trail)
  }
  return (text) => {
    const bytes = Array.from(text, (char) => known.get(char))
    return bytes.every((char) => char !== undefined) ? Buffer.concat(bytes) : undefined
  }
}
