/** How cells are written: as clean CSV, or with escapes instead. All write to `out`, and return the place behind. */

export const LF: u8 = 0x0a
export const CR: u8 = 0x0d
export const QUOTE: u8 = 0x22
export const COMMA: u8 = 0x2c
export const TAB: u8 = 0x09
export const BACKSLASH: u8 = 0x5c
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

/** A record whose cells may stand as they are, with another delimiter; up to fifteen bytes too many here, too. */
@inline
export function copyRecord(out: usize, at: usize, length: u32, delimiter: u8, separator: u8): usize {
  const vDelimiter = i8x16.splat(<i8>delimiter)
  const vChange = i8x16.splat(<i8>(delimiter ^ separator))
  for (let i: u32 = 0; i < length; i += 16) {
    const v = v128.load(at + i)
    v128.store(out + i, v128.xor(v, v128.and(i8x16.eq(v, vDelimiter), vChange)))
  }
  return out + length
}

/** Of each byte, whether it is a control character or the one given. */
@inline
export function isControlOr(v: v128, byte: v128): v128 {
  return v128.or(i8x16.le_u(v, i8x16.splat(0x1f)), i8x16.eq(v, byte))
}

function has(at: usize, length: u32, byte: u8): bool {
  const vByte = i8x16.splat(<i8>byte)
  for (let i: u32 = 0; i < length; i += 16) {
    let mask = <u32>i8x16.bitmask(i8x16.eq(v128.load(at + i), vByte))
    if (length - i < 16) mask &= (1 << (length - i)) - 1
    if (mask != 0) return true
  }
  return false
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
 * What `flat.ts` escapes, and how: each byte at the place that its low half says, which no two have in common; what is
 * written for it, in the same order; and the mark that is written before that.
 */
export const FLAT_ESCAPES = memory.data<u8>([
  0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, LF, ESCAPE_MARK, 0, CR, 0, 0x1f,
  0, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0x31, 0x30, 0, 0x32, 0, 0x33,
  ESCAPE_MARK,
])
/** The same for `tabbed.ts`. */
export const TABBED_ESCAPES = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, TAB, LF, 0, BACKSLASH, CR, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0x74, 0x6e, 0, BACKSLASH, 0x72, 0, 0,
  BACKSLASH,
])
/** The escapes, of two bytes each, for the empty text in the flat copy, and for NULL in tabbed text. */
export const KEPT_EMPTY: u16 = 0x351b
export const NULL_CELL: u16 = 0x4e5c

/**
 * Any text that has no NUL.
 * @param doubled stands twice where it is meant once, and needs no escape; 0: no byte does.
 * @param escapes the table of the format.
 * @param flag is set to 1 when something is escaped; 0: nobody asks.
 */
export function writeEscaped(out: usize, at: usize, length: u32, doubled: u8, escapes: usize, flag: usize): usize {
  const vMark = i8x16.splat(load<i8>(escapes, 32))
  const vDoubled = i8x16.splat(<i8>doubled)
  let i: u32 = 0
  while (i < length) {
    const v = v128.load(at + i)
    v128.store(out, v)
    let mask = <u32>i8x16.bitmask(v128.or(isControlOr(v, vMark), i8x16.eq(v, vDoubled)))
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
    if (byte == doubled) {
      store<u8>(out++, byte)
      i += 2
      continue
    }
    i++
    const low: usize = byte & 0x0f
    if (byte == load<u8>(escapes + low)) {
      if (flag != 0) store<u8>(flag, 1)
      store<u8>(out++, load<u8>(escapes, 32))
      store<u8>(out++, load<u8>(escapes + low, 16))
    } else store<u8>(out++, byte)
  }
  return out
}

/**
 * Makes of a cell the text that it means, in its place, and returns its length. As the machine has it: quotes are doubled
 * where there is no `escape`; an escape before anything that needs none is text.
 */
export function unescape(at: usize, length: u32, quoted: bool, quote: u8, escape: u8, delimiter: u8): u32 {
  const mark = escape == 0 ? quote : escape
  if ((escape == 0 && !quoted) || !has(at, length, mark)) return length
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
