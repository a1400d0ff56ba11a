/**
 * The kernel: takes plain records 64 bytes at a time, in AssemblyScript with WebAssembly SIMD. It stops before whatever
 * is not plain (a fault, a blank line, a control character, an end that is not there yet) and leaves it to the machine.
 *
 * Quotes are found as in simdjson (Langdale, Lemire: Parsing Gigabytes of JSON per Second, 2019): the prefix XOR of the
 * quote bits is the mask of what lies within quotes. Beyond that, each quote is checked to stand where it may.
 */

import { shapeOf, wholeDigits, fractionDigits, EMPTY, INTEGER, DECIMAL, QUOTED_EMPTY } from './shape'

const LF: u8 = 0x0a
const CR: u8 = 0x0d
const TAB: u8 = 0x09
const QUOTE: u8 = 0x22
const COMMA: u8 = 0x2c

/** Where things are in memory; the host reads these. Cells of the record at hand, then evidence, input, output. */
export const mostColumns: u32 = 4096
const cellEndsAt: usize = 0x10000
export const countsAt: usize = 0x20000
export const firstsAt: usize = countsAt + 4096 * 16 * 8
export const longestAt: usize = firstsAt + 4096 * 16 * 8
export const wholeAt: usize = longestAt + 4096 * 4
export const fractionAt: usize = wholeAt + 4096
export const inputAt: usize = 0x140000
export const inputBytes: u32 = (16 << 20) + (1 << 20)
/** Room behind the input, so that a vector may be loaded at its last byte. */
export const outputAt: usize = inputAt + inputBytes + 0x10000
export const outputBytes: u32 = 2 * inputBytes + (1 << 20)

/** What is written of each record. */
const NOTHING: u32 = 0
const CLEAN: u32 = 1
const FLAT: u32 = 2
const PLACED: u32 = 3

/** Why it stopped. */
const ENDED: u32 = 0
const STOPPED: u32 = 1
const FULL: u32 = 2

let columns: u32 = 0
let delimiter: u8 = COMMA
let quote: u8 = QUOTE
let hasQuote: bool = true
let strange: u8 = 0
let mode: u32 = NOTHING
let withShapes: bool = true

/** What the host reads and sets between runs. Offsets count from the input's first byte, `byteBase` before that. */
export let position: u32 = 0
export let byteBase: f64 = 0
/** Records so far, and the line on which the next one begins. */
export let records: f64 = 0
export let line: f64 = 1
export let crEnds: f64 = 0
export let crlfEnds: f64 = 0
export let longestRecord: u32 = 0
export let sawQuotes: u32 = 0
/** Bytes in the output; of the longest line there; and whether it holds escapes. */
export let written: u32 = 0
export let longestWritten: u32 = 0
export let escaped: u32 = 0

/** @param strangeByte one more byte that the machine has to deal with; 0 for none. */
export function configure(cells: u32, delimiterByte: u32, quoteByte: u32, strangeByte: u32, output: u32, shapes: u32): void {
  columns = cells
  delimiter = <u8>delimiterByte
  hasQuote = quoteByte != 0
  quote = <u8>quoteByte
  strange = <u8>strangeByte
  mode = output
  withShapes = shapes != 0
}

@inline
function bits(at: usize, byte: v128): u64 {
  const a = i8x16.bitmask(i8x16.eq(v128.load(at), byte))
  const b = i8x16.bitmask(i8x16.eq(v128.load(at, 16), byte))
  const c = i8x16.bitmask(i8x16.eq(v128.load(at, 32), byte))
  const d = i8x16.bitmask(i8x16.eq(v128.load(at, 48), byte))
  return <u64><u32>(a | (b << 16)) | (<u64><u32>(c | (d << 16)) << 32)
}

@inline
function controls(at: usize): u64 {
  const space = i8x16.splat(0x20)
  const a = i8x16.bitmask(i8x16.lt_u(v128.load(at), space))
  const b = i8x16.bitmask(i8x16.lt_u(v128.load(at, 16), space))
  const c = i8x16.bitmask(i8x16.lt_u(v128.load(at, 32), space))
  const d = i8x16.bitmask(i8x16.lt_u(v128.load(at, 48), space))
  return <u64><u32>(a | (b << 16)) | (<u64><u32>(c | (d << 16)) << 32)
}

@inline
function prefixXor(mask: u64): u64 {
  mask ^= mask << 1
  mask ^= mask << 2
  mask ^= mask << 4
  mask ^= mask << 8
  mask ^= mask << 16
  return mask ^ (mask << 32)
}

/**
 * Takes records from `position` on; `end` is where the bytes end. Afterwards `position` is the beginning of the first
 * record that was not taken.
 */
export function run(end: u32): u32 {
  const vDelimiter = i8x16.splat(<i8>delimiter)
  const vQuote = i8x16.splat(<i8>quote)
  const vLf = i8x16.splat(<i8>LF)
  const vCr = i8x16.splat(<i8>CR)
  const vTab = i8x16.splat(<i8>TAB)
  const vStrange = i8x16.splat(<i8>strange)
  const input = inputAt

  let start = position
  let cells: u32 = 0
  /** The carries between blocks, all as of the beginning of a record. */
  let inside: u64 = 0
  let afterEdge: u64 = 1
  let afterClose: u64 = 0
  let afterCr: u64 = 0
  let brokenLines: bool = false

  for (let block: u32 = start; block < end; block += 64) {
    const at = input + block
    const rest = end - block
    const valid: u64 = rest >= 64 ? ~(<u64>0) : (<u64>1 << rest) - 1
    const lf = bits(at, vLf) & valid
    const cr = bits(at, vCr) & valid
    const between = bits(at, vDelimiter) & valid
    let odd = controls(at) & ~lf & ~cr & ~between & valid
    if (odd != 0) odd &= ~bits(at, vTab)
    if (strange != 0) odd |= bits(at, vStrange) & valid
    let within: u64 = inside
    let closes: u64 = 0
    let faults: u64 = odd
    const quotes = hasQuote ? bits(at, vQuote) & valid : 0
    if (quotes != 0) {
      within = prefixXor(quotes) ^ inside
      sawQuotes = 1
    }
    const lines = (lf & ~((cr << 1) | afterCr)) | cr
    const edges = (between | lf | cr) & ~within
    if ((quotes | afterClose) != 0) {
      closes = quotes & ~within
      const opens = quotes & within
      const behindClose = (closes << 1) | afterClose
      faults |= (opens & ~((edges << 1) | afterEdge | behindClose)) | (behindClose & ~(edges | quotes) & valid)
    }
    // Within quotes a line end breaks the record over several lines.
    const inner = lines & within
    if (inner != 0) brokenLines = true

    let todo = edges & ~(lf & ((cr << 1) | afterCr))
    // A fault stops the record that it lies in: edges before it may still end records.
    const stop: u32 = faults == 0 ? 64 : <u32>ctz(faults)
    while (todo != 0) {
      const i = <u32>ctz(todo)
      if (i > stop) break
      todo &= todo - 1
      const edge = block + i
      if (cells < columns) store<u32>(cellEndsAt + (cells << 2), edge)
      cells++
      if ((between >> i) & 1) continue
      if (cells != columns || edge == start) { position = start; return STOPPED }
      if (mode != NOTHING && written + 2 * (edge - start) + 3 * columns + 96 > outputBytes) { position = start; return FULL }
      let next = edge + 1
      if ((cr >> i) & 1) {
        // The CR may be half of a CRLF.
        if (next >= end) { position = start; return ENDED }
        if (load<u8>(input + next) == LF) {
          next++
          crlfEnds += 1
        } else crEnds += 1
      }
      take(start, next)
      if (brokenLines) {
        line += countLines(start, next)
        brokenLines = i < 63 ? inner >> (i + 1) != 0 : false
      } else {
        line += 1
      }
      records += 1
      if (edge - start > longestRecord) longestRecord = edge - start
      start = next
      cells = 0
    }
    if (stop < 64) { position = start; return STOPPED }
    inside = within >> 63 != 0 ? ~(<u64>0) : 0
    afterEdge = edges >> 63
    afterClose = closes >> 63
    afterCr = cr >> 63
  }
  position = start
  return ENDED
}

function countLines(from: u32, to: u32): f64 {
  let count: u32 = 0
  for (let i = from; i < to; i++) {
    const byte = load<u8>(inputAt + i)
    if (byte == LF || (byte == CR && load<u8>(inputAt + i + 1) != LF)) count++
  }
  return <f64>count
}

/** A sound record: notes the shapes of its cells and writes it. */
function take(start: u32, next: u32): void {
  const output = outputAt
  let out = output + written
  if (mode == PLACED) out = writePlace(out, start, next)
  let from = start
  for (let column: u32 = 0; column < columns; column++) {
    const end = load<u32>(cellEndsAt + (column << 2))
    let at = inputAt + from
    let length = end - from
    const quoted = hasQuote && length > 0 && load<u8>(at) == quote
    if (quoted) {
      at++
      length -= 2
    }
    if (withShapes) note(column, at, length, quoted)
    if (mode != NOTHING) {
      if (mode == CLEAN) {
        out = quoted ? writeQuotedClean(out, at, length) : writePlainClean(out, at, length)
        store<u8>(out++, column + 1 == columns ? LF : COMMA)
      } else {
        out = quoted ? writeQuotedFlat(out, at, length) : copy(out, at, length)
        store<u8>(out++, column + 1 == columns ? LF : 0x1f)
      }
    }
    from = end + 1
  }
  const length = <u32>(out - output) - written
  if (length > longestWritten) longestWritten = length
  written += length
}

@inline
function note(column: u32, at: usize, length: u32, quoted: bool): void {
  const shape: u32 = length == 0 ? (quoted ? QUOTED_EMPTY : EMPTY) : shapeOf(at, length)
  const slot = (column << 4) | shape
  const counter = countsAt + (slot << 3)
  const count = load<f64>(counter)
  store<f64>(counter, count + 1)
  if (count == 0) store<f64>(firstsAt + (slot << 3), line)
  const longest = longestAt + (column << 2)
  if (length > load<u32>(longest)) store<u32>(longest, length)
  if (shape == INTEGER || shape == DECIMAL) {
    if (wholeDigits > <u32>load<u8>(wholeAt + column)) store<u8>(wholeAt + column, <u8>wholeDigits)
    if (shape == DECIMAL && fractionDigits > <u32>load<u8>(fractionAt + column)) store<u8>(fractionAt + column, <u8>fractionDigits)
  }
}

/** Copies sixteen bytes at a time, and so up to fifteen too many: there is room behind. */
@inline
function copy(out: usize, at: usize, length: u32): usize {
  if (length > 256) {
    memory.copy(out, at, length)
    return out + length
  }
  for (let i: u32 = 0; i < length; i += 16) v128.store(out + i, v128.load(at + i))
  return out + length
}

/** Whether some byte is one that needs quotes in the output: a comma, a quote or a line end. */
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

@inline
function writePlainClean(out: usize, at: usize, length: u32): usize {
  if (delimiter == COMMA || !needsQuotes(at, length)) return copy(out, at, length)
  store<u8>(out++, QUOTE)
  out = copy(out, at, length)
  store<u8>(out++, QUOTE)
  return out
}

/** What stands within double quotes stays as it is when it needs them; "" stays "" and is not the same as nothing. */
@inline
function writeQuotedClean(out: usize, at: usize, length: u32): usize {
  return length > 0 && !needsQuotes(at, length) ? copy(out, at, length) : copy(out, at - 1, length + 2)
}

/** Doubled quotes become one, line ends the escapes that `flat.ts` has for them. */
function writeQuotedFlat(out: usize, at: usize, length: u32): usize {
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
      escaped = 1
      store<u8>(out++, 0x1b)
      store<u8>(out++, byte == LF ? 0x31 : 0x32)
      i++
    }
  }
  return out
}

/** The line, the byte offset, the byte length and the number of the record, as `flat.ts` has them. */
function writePlace(out: usize, start: u32, next: u32): usize {
  const textEnd = load<u32>(cellEndsAt + ((columns - 1) << 2))
  out = writeNumber(out, line)
  out = writeNumber(out, byteBase + <f64>start)
  out = writeNumber(out, <f64>(textEnd - start))
  return writeNumber(out, records + 1)
}

function writeNumber(out: usize, value: f64): usize {
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
