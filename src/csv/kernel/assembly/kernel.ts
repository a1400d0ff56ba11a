/**
 * The kernel: takes sound records and blank lines 64 bytes at a time, in AssemblyScript with WebAssembly SIMD. It stops
 * before whatever else there is (a fault, a comment, an end that is not there yet) and leaves it to the machine.
 *
 * Quotes are found as in simdjson (Langdale, Lemire: Parsing Gigabytes of JSON per Second, 2019): the prefix XOR of the
 * quote bits is the mask of what lies within quotes. Beyond that, each quote is checked to stand where it may.
 */

import { shapeOf, wholeDigits, fractionDigits, EMPTY, INTEGER, DECIMAL, QUOTED_EMPTY } from './shape'
import { copy, copyRecord, unescape, writeEscaped, writeNumber } from './write'
import { isControlOr, writePlainClean, writeQuotedClean, writeTextClean } from './write'
import { BACKSLASH, COMMA, CR, FLAT_ESCAPES, KEPT_EMPTY, LF, NULL_CELL, QUOTE, TAB, TABBED_ESCAPES } from './write'

const FLAT_DELIMITER: u8 = 0x1f

/** Where things are in memory; the host reads these. Cells of the record at hand, then evidence, input, output. */
const mostColumns: u32 = 4096
/** Bytes that a record may have, its line end left out. */
const mostBytes: u32 = 16 << 20
/** Places for the shapes of a column. */
const shapeSlots: u32 = 16
const cellEndsAt: usize = 0x10000
export const countsAt: usize = 0x20000
export const firstsAt: usize = countsAt + mostColumns * shapeSlots * 8
export const longestAt: usize = firstsAt + mostColumns * shapeSlots * 8
export const wholeAt: usize = longestAt + mostColumns * 4
export const fractionAt: usize = wholeAt + mostColumns
/** 1 for a column of which some cell is written with escapes. */
export const escapedAt: usize = fractionAt + mostColumns
/** What the host says of each column before `configure`, as bits. */
export const columnFlagsAt: usize = escapedAt + mostColumns
const KEEP_EMPTY: u8 = 1
const LEAVE_OUT: u8 = 2
export const inputAt: usize = 0x140000
export const inputBytes: u32 = mostBytes + (1 << 20)
/** Room behind the input, so that a vector may be loaded at its last byte. */
export const outputAt: usize = inputAt + inputBytes + 0x10000
export const outputBytes: u32 = 2 * inputBytes + (1 << 20)

/** What is written of each record. */
const NOTHING: u32 = 0
const CLEAN: u32 = 1
const FLAT: u32 = 2
const PLACED: u32 = 3
const TABBED: u32 = 4

/** Why it stopped. */
const ENDED: u32 = 0
const STOPPED: u32 = 1
const FULL: u32 = 2

let columns: u32 = 0
let delimiter: u8 = COMMA
let quote: u8 = QUOTE
let hasQuote: bool = true
/** 0: a quote is escaped by another. */
let escape: u8 = 0
/** 0: there are none. */
let comment: u8 = 0
let mode: u32 = NOTHING
let withShapes: bool = true
/** Whether some column is left out. */
let leavesOut: bool = false

/** What the host reads and sets between runs. Offsets count from the input's first byte, `byteBase` before that. */
export let position: u32 = 0
export let byteBase: f64 = 0
/** Records so far, and the line on which the next one begins. */
export let records: f64 = 0
export let blankLines: f64 = 0
export let line: f64 = 1
export let crEnds: f64 = 0
export let crlfEnds: f64 = 0
export let longestRecord: u32 = 0
/** Whether there was a quote, an escape or a control character. */
export let sawSpecials: u32 = 0
/** Bytes in the output, and of the longest line there. */
export let written: u32 = 0
export let longestWritten: u32 = 0

/** Of the dialect's bytes, 0 stands for what it does not have. */
export function configure(
  cells: u32,
  delimiterByte: u32,
  quoteByte: u32,
  escapeByte: u32,
  commentByte: u32,
  output: u32,
  shapes: u32,
): void {
  columns = cells
  delimiter = <u8>delimiterByte
  hasQuote = quoteByte != 0
  quote = <u8>quoteByte
  escape = <u8>escapeByte
  comment = <u8>commentByte
  mode = output
  withShapes = shapes != 0
  leavesOut = false
  for (let column: u32 = 0; column < columns; column++) {
    if ((load<u8>(columnFlagsAt + column) & LEAVE_OUT) != 0) leavesOut = true
  }
}

@inline
function bits(at: usize, byte: v128): u64 {
  const a = i8x16.bitmask(i8x16.eq(v128.load(at), byte))
  const b = i8x16.bitmask(i8x16.eq(v128.load(at, 16), byte))
  const c = i8x16.bitmask(i8x16.eq(v128.load(at, 32), byte))
  const d = i8x16.bitmask(i8x16.eq(v128.load(at, 48), byte))
  return <u64><u32>(a | (b << 16)) | (<u64><u32>(c | (d << 16)) << 32)
}

/** Control characters, and one byte besides. */
@inline
function controlsOr(at: usize, byte: v128): u64 {
  const a = i8x16.bitmask(isControlOr(v128.load(at), byte))
  const b = i8x16.bitmask(isControlOr(v128.load(at, 16), byte))
  const c = i8x16.bitmask(isControlOr(v128.load(at, 32), byte))
  const d = i8x16.bitmask(isControlOr(v128.load(at, 48), byte))
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
 * What follows an odd number of escapes, as bits; `first` is 1 where that is so of the block's first byte. An escape
 * before anything that needs none is text, which makes no difference here.
 */
@inline
function escapedBits(escapes: u64, first: u64): u64 {
  let found = first
  for (let rest = escapes & ~first; rest != 0; ) {
    const one = rest & -rest
    found |= one << 1
    rest &= ~(one | (one << 1))
  }
  return found
}

/**
 * Takes records from `position` on; `end` is where the bytes end. Afterwards `position` is the beginning of the first
 * record that was not taken.
 */
export function run(end: u32): u32 {
  const vDelimiter = i8x16.splat(<i8>delimiter)
  const vQuote = i8x16.splat(<i8>quote)
  const vEscape = i8x16.splat(<i8>escape)
  const vLf = i8x16.splat(<i8>LF)
  const vCr = i8x16.splat(<i8>CR)
  const vTab = i8x16.splat(<i8>TAB)
  const input = inputAt
  /** What is text here, but would not be where it is written. */
  const strange: u8 = mode == TABBED ? BACKSLASH : mode == CLEAN && quote != QUOTE ? QUOTE : 0
  const vStrange = i8x16.splat(<i8>strange)

  let start = position
  let cells: u32 = 0
  /** The carries between blocks, all as of the beginning of a record. */
  let inside: u64 = 0
  let afterEdge: u64 = 1
  let afterClose: u64 = 0
  let afterCr: u64 = 0
  let afterEscape: u64 = 0
  /** Of the record at hand: whether it has several lines, and whether it cannot be written as it stands. */
  let brokenLines: bool = false
  let careful: bool = false

  if (isComment(start, end)) return STOPPED
  for (let block: u32 = start; block < end; block += 64) {
    const at = input + block
    const rest = end - block
    const valid: u64 = rest >= 64 ? ~(<u64>0) : (<u64>1 << rest) - 1
    const lf = bits(at, vLf) & valid
    const cr = bits(at, vCr) & valid
    let between = bits(at, vDelimiter) & valid
    let quotes = hasQuote ? bits(at, vQuote) & valid : 0
    let specials: u64 = 0
    if (escape != 0) {
      const escapes = bits(at, vEscape) & valid
      specials = escapes
      if ((escapes | afterEscape) != 0) {
        sawSpecials = 1
        const escaped = escapedBits(escapes, afterEscape)
        afterEscape = (escapes & ~escaped) >> 63
        between &= ~escaped
        quotes &= ~escaped
      }
    }
    let within: u64 = inside
    let closes: u64 = 0
    let faults: u64 = 0
    if (quotes != 0) {
      within = prefixXor(quotes) ^ inside
      sawSpecials = 1
      if (quote != QUOTE) specials |= quotes
    }
    const lineEnds = (lf & ~((cr << 1) | afterCr)) | cr
    const edges = (between | lf | cr) & ~within
    if ((quotes | afterClose) != 0) {
      closes = quotes & ~within
      const opens = quotes & within
      const behindClose = (closes << 1) | afterClose
      const doubles = escape == 0 ? behindClose & quotes : 0
      faults = (opens & ~((edges << 1) | afterEdge | doubles)) | (behindClose & ~(edges | doubles) & valid)
    }
    const odd = controlsOr(at, vStrange) & ~(lf | cr | edges) & valid
    if (odd != 0) {
      const tabs = bits(at, vTab)
      specials |= mode == TABBED ? odd : odd & ~tabs
      faults |= odd & bits(at, i8x16.splat(0))
      if ((odd & ~(tabs | bits(at, vStrange))) != 0) sawSpecials = 1
    }
    let todo = edges & ~(lf & ((cr << 1) | afterCr))
    // Quotes and empty cells, too, are written as something else.
    if (mode == TABBED) specials |= quotes | (todo & ((edges << 1) | afterEdge))
    if (specials != 0) careful = true
    // Within quotes a line end breaks the record over several lines.
    const inner = lineEnds & within
    if (inner != 0) brokenLines = true

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
      const isBlank = edge == start
      if (!isBlank) {
        if (cells != columns || edge - start > mostBytes) { position = start; return STOPPED }
        if (mode != NOTHING && written + 2 * (edge - start) + 3 * columns + 96 > outputBytes) { position = start; return FULL }
      }
      let next = edge + 1
      if ((cr >> i) & 1) {
        // The CR may be half of a CRLF.
        if (next >= end) { position = start; return ENDED }
        if (load<u8>(input + next) == LF) {
          next++
          crlfEnds += 1
        } else crEnds += 1
      }
      if (isBlank) {
        blankLines += 1
        line += 1
      } else {
        const lines = brokenLines ? countLines(start, next) : 1
        take(start, edge, careful)
        const later: u64 = i < 63 ? ~(<u64>0) << (i + 1) : 0
        if (careful) careful = (specials & later) != 0
        if (brokenLines) brokenLines = (inner & later) != 0
        line += lines
        records += 1
        if (edge - start > longestRecord) longestRecord = edge - start
      }
      start = next
      cells = 0
      if (isComment(start, end)) { position = start; return STOPPED }
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

@inline
function isComment(start: u32, end: u32): bool {
  return comment != 0 && start < end && load<u8>(inputAt + start) == comment
}

function countLines(from: u32, to: u32): f64 {
  let count: u32 = 0
  for (let i = from; i < to; i++) {
    const byte = load<u8>(inputAt + i)
    if (byte == LF || (byte == CR && load<u8>(inputAt + i + 1) != LF)) count++
  }
  return <f64>count
}

/**
 * A sound record: notes the shapes of its cells and writes it.
 * @param careful it has, or a record beside it, what cannot be written as it stands.
 */
function take(start: u32, edge: u32, careful: bool): void {
  const begin = outputAt + written
  let out = begin
  // Told the output here, the loop over the cells is compiled without what is for the others.
  if (mode == FLAT) {
    out = takeCells(FLAT, out, start, careful)
  } else if (mode != TABBED) {
    out = takeCells(mode, mode == PLACED ? writePlace(out, start) : out, start, careful)
  } else if (careful || leavesOut) {
    out = takeCells(TABBED, out, start, careful)
  } else {
    if (withShapes) takeCells(NOTHING, out, start, false)
    out = copyRecord(out, inputAt + start, edge - start, delimiter, TAB) + 1
  }
  if (mode == NOTHING) return
  // The line end takes the place of the last separator. Where every column is left out there is none.
  if (out == begin) out++
  store<u8>(out - 1, LF)
  const length = <u32>(out - begin)
  if (length > longestWritten) longestWritten = length
  written += length
}

/** Takes the cells one by one, and writes a separator behind each. Careful, it unescapes them where they stand. */
@inline
function takeCells(output: u32, out: usize, start: u32, careful: bool): usize {
  const separator = output == CLEAN ? COMMA : output == TABBED ? TAB : FLAT_DELIMITER
  const escapes = output == TABBED ? TABBED_ESCAPES : FLAT_ESCAPES
  const unescapes = careful && (escape != 0 || quote != QUOTE)
  let from = start
  for (let column: u32 = 0; column < columns; column++) {
    const end = load<u32>(cellEndsAt + (column << 2))
    let at = inputAt + from
    let length = end - from
    from = end + 1
    const quoted = hasQuote && length > 0 && load<u8>(at) == quote
    if (quoted) {
      at++
      length -= 2
    }
    const asWritten = length
    if (unescapes) length = unescape(at, length, quoted, quote, escape, delimiter)
    if (withShapes) note(column, at, length, asWritten, quoted)
    if (output == NOTHING) continue
    const flags = load<u8>(columnFlagsAt + column)
    if (output == CLEAN) {
      if (unescapes) out = writeTextClean(out, at, length, quoted)
      else out = quoted ? writeQuotedClean(out, at, length) : writePlainClean(out, at, length, delimiter)
    } else if (output == TABBED && (flags & LEAVE_OUT) != 0) {
      continue
    } else if (length == 0) {
      const kept = quoted && (flags & KEEP_EMPTY) != 0
      if (output == TABBED ? !kept : kept) {
        store<u16>(out, output == TABBED ? NULL_CELL : KEPT_EMPTY)
        if (kept) store<u8>(escapedAt + column, 1)
        out += 2
      }
    } else if (careful || quoted) {
      const doubled = quoted && !unescapes ? quote : 0
      out = writeEscaped(out, at, length, doubled, escapes, output == TABBED ? 0 : escapedAt + column)
    } else {
      out = copy(out, at, length)
    }
    store<u8>(out++, separator)
  }
  return out
}

@inline
function note(column: u32, at: usize, length: u32, asWritten: u32, quoted: bool): void {
  const shape: u32 = length == 0 ? (quoted ? QUOTED_EMPTY : EMPTY) : shapeOf(at, length)
  const slot = (column << 4) | shape
  const counter = countsAt + (slot << 3)
  const count = load<f64>(counter)
  store<f64>(counter, count + 1)
  if (count == 0) store<f64>(firstsAt + (slot << 3), line)
  const longest = longestAt + (column << 2)
  if (asWritten > load<u32>(longest)) store<u32>(longest, asWritten)
  if (shape == INTEGER || shape == DECIMAL) {
    if (wholeDigits > <u32>load<u8>(wholeAt + column)) store<u8>(wholeAt + column, <u8>wholeDigits)
    if (shape == DECIMAL && fractionDigits > <u32>load<u8>(fractionAt + column)) store<u8>(fractionAt + column, <u8>fractionDigits)
  }
}

/** The line, the byte offset, the byte length and the number of the record, as `flat.ts` has them. */
function writePlace(out: usize, start: u32): usize {
  const textEnd = load<u32>(cellEndsAt + ((columns - 1) << 2))
  out = writeNumber(out, line)
  out = writeNumber(out, byteBase + <f64>start)
  out = writeNumber(out, <f64>(textEnd - start))
  return writeNumber(out, records + 1)
}
