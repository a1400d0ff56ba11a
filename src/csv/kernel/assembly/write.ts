/** How cells are written: as clean CSV, or as the flat copy has them. All write to `out`, and return the place behind. */

export const LF: u8 = 0x0a
export const CR: u8 = 0x0d
export const QUOTE: u8 = 0x22
export const COMMA: u8 = 0x2c
const SPACE: u8 = 0x20
const ESCAPE_MARK: u8 = 0x1b

/** Copies sixteen bytes at a time, and so up to fifteen too many: there is room behind. */
@inline
export function copy(out: usize, at: usize, length: u32): usize {
  if (length > 256) {
    memory.copy(out, at, length)
    return out + length
  }
  for (let i: u32 = 0; i < length; i += 16) v128.store(out + i, v128.load(at + i))
  return out + length
}

/** Whether some byte is one that needs quotes in clean CSV: a comma, a quote or a line end. */
function needsQuotes(at: usize, length: u32): bool {
  const vComma = i8x16.splat(<i8>COMMA)
  const vQuote = i8x16.splat(<i8>QUOTE)
  const vLf = i8x16.splat(<i8>LF)
  const vCr = i8x16.splat(<i8>CR)
  for (let i: u32 = 0; i < length; i += 16) {
    const v = v128.load(at + i)
    const any = v128.or(v128.or(i8x16.eq(v, vComma), i8x16.eq(v, vQuote)), v128.or(i8x16.eq(v, vLf), i8x16.eq(v, vCr)))
    let mask = <u32>i8x16.bitmask(any)
    if (length - i < 16) mask &= (1 << (length - i)) - 1
    if (mask != 0) return true
  }
  return false
}

/** A cell without quotes and escapes, read with `delimiter`. */
@inline
export function writePlainClean(out: usize, at: usize, length: u32, delimiter: u8): usize {
  if (delimiter == COMMA || !needsQuotes(at, length)) return copy(out, at, length)
  store<u8>(out++, QUOTE)
  out = copy(out, at, length)
  store<u8>(out++, QUOTE)
  return out
}

/** What stands within double quotes stays as it is when it needs them; "" stays "" and is not the same as nothing. */
@inline
export function writeQuotedClean(out: usize, at: usize, length: u32): usize {
  return length > 0 && !needsQuotes(at, length) ? copy(out, at, length) : copy(out, at - 1, length + 2)
}

/** Any text. */
export function writeTextClean(out: usize, at: usize, length: u32, quoted: bool): usize {
  if (length > 0 ? !needsQuotes(at, length) : !quoted) return copy(out, at, length)
  store<u8>(out++, QUOTE)
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(at + i)
    if (byte == QUOTE) store<u8>(out++, QUOTE)
    store<u8>(out++, byte)
  }
  store<u8>(out++, QUOTE)
  return out
}

/**
 * What stands within quotes and has no control characters but tabs and line ends: doubled quotes become one, line ends
 * the escapes that `flat.ts` has for them.
 * @param flag is set to 1 when something is escaped.
 */
export function writeQuotedFlat(out: usize, at: usize, length: u32, quote: u8, flag: usize): usize {
  const vQuote = i8x16.splat(<i8>quote)
  const vLf = i8x16.splat(<i8>LF)
  const vCr = i8x16.splat(<i8>CR)
  let i: u32 = 0
  while (i < length) {
    const v = v128.load(at + i)
    v128.store(out, v)
    const any = v128.or(i8x16.eq(v, vQuote), v128.or(i8x16.eq(v, vLf), i8x16.eq(v, vCr)))
    let mask = <u32>i8x16.bitmask(any)
    if (length - i < 16) mask &= (1 << (length - i)) - 1
    if (mask == 0) {
      const step = min<u32>(16, length - i)
      out += step
      i += step
      continue
    }
    const plain = <u32>ctz(mask)
    out += plain
    i += plain
    const byte = load<u8>(at + i)
    if (byte == quote) {
      store<u8>(out++, quote)
      i += 2
    } else {
      out = writeEscape(out, byte, flag)
      i++
    }
  }
  return out
}

/** Any text. */
export function writeTextFlat(out: usize, at: usize, length: u32, flag: usize): usize {
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(at + i)
    if (byte < SPACE) out = writeEscape(out, byte, flag)
    else store<u8>(out++, byte)
  }
  return out
}

/** A control character as `flat.ts` has it: most of them stay what they are. */
@inline
function writeEscape(out: usize, byte: u8, flag: usize): usize {
  const digit: u8 = byte == LF ? 0x31 : byte == CR ? 0x32 : byte == 0x1f ? 0x33 : byte == 0x01 ? 0x34 : byte == ESCAPE_MARK ? 0x30 : 0
  if (digit == 0) {
    store<u8>(out++, byte)
    return out
  }
  store<u8>(flag, 1)
  store<u8>(out++, ESCAPE_MARK)
  store<u8>(out++, digit)
  return out
}

/**
 * Makes of a cell the text that it means, in its place, and returns its length. As the machine has it: quotes are doubled
 * where there is no `escape`; an escape before anything that needs none is text.
 */
export function unescape(at: usize, length: u32, quoted: bool, quote: u8, escape: u8, delimiter: u8): u32 {
  const mark = escape == 0 ? quote : escape
  if (escape == 0 && !quoted) return length
  let out = at
  for (let i: u32 = 0; i < length; i++) {
    let byte = load<u8>(at + i)
    if (byte == mark && i + 1 < length) {
      const next = load<u8>(at + i + 1)
      if (next == quote || next == mark || (next == delimiter && !quoted)) {
        byte = next
        i++
      }
    }
    store<u8>(out++, byte)
  }
  return <u32>(out - at)
}

/** In decimal, with the delimiter of the flat copy behind it. */
export function writeNumber(out: usize, value: f64): usize {
  let rest = <u64>value
  let digits: u32 = 1
  for (let power: u64 = 10; power <= rest; power *= 10) digits++
  for (let i = digits; i > 0; i--) {
    store<u8>(out + i - 1, <u8>(0x30 + (rest % 10)))
    rest /= 10
  }
  store<u8>(out + digits, 0x1f)
  return out + digits + 1
}
