/**
 * Where reading goes on behind a record whose quotes are broken. Nobody can know where such a record ends, so the rule is
 * a careful one. A line that has all its delimiters, and quotes that do not reach beyond it, is the whole of the record.
 * Otherwise the record ends before the first line from which two sound records in a row can be read (or one and the end
 * of the file): text that was meant to be quoted seldom looks like that twice, and what is taken for a row must be one.
 */
import type { Dialect } from './dialect.ts'
import type { Machine, Outcome } from './machine.ts'
import type { Window } from './window.ts'

const LF = 0x0a
const CR = 0x0d

/** Bytes in which a line end is looked for at once. */
const stepBytes = 4 << 10
/** Bytes that are looked at ahead. */
const lookahead = 64 << 10

/** What ends a line; the last one of a file may have no end. */
export type LineEnd = 'lf' | 'crlf' | 'cr' | 'none'
const widths: Readonly<Record<LineEnd, number>> = { lf: 1, crlf: 2, cr: 1, none: 0 }

/** `open-too-long`: it is so long because of a quote that may never be closed. */
export type Break = Outcome | 'too-long' | 'open-too-long'

export interface Recovery {
  /** The place in the window where the next record begins. */
  readonly next: number
  /** Physical lines passed, and what ends the last of them. */
  readonly lines: number
  readonly lineEnd: LineEnd
  /** Bytes from the record's beginning to its end without the line end. */
  readonly byteLength: number
}

export interface RecoverOptions {
  readonly window: Window
  readonly machine: Machine
  readonly columns: number
  /** Bytes that a record may have. */
  readonly longest: number
  readonly dialect: Dialect
}

/** @param from where the broken record begins in the window. */
export async function recover(from: number, fault: Break, options: RecoverOptions): Promise<Recovery> {
  const { window } = options
  const start = window.offset + from
  let lines = 0
  let at = from
  for (;;) {
    const line = await passLine(window, at, options.longest)
    lines++
    const { next, lineEnd } = line
    const reached = { next, lineEnd, lines, byteLength: window.offset + line.end - start }
    if (line.isLast) return reached
    const isWhole = lines === 1 && isSelfContained(line.start, line.end, fault, options)
    if (isWhole) return reached
    at = await ahead(window, next)
    if (at >= window.length || beginsSound(at, options)) return { ...reached, next: at }
  }
}

interface Line {
  readonly start: number
  readonly end: number
  readonly next: number
  readonly lineEnd: LineEnd
  readonly isLast: boolean
}

/** The line that begins at a place. What lies before it may be forgotten, and of a line over `longest` its beginning. */
async function passLine(window: Window, from: number, longest: number): Promise<Line> {
  let start = from
  let at = from
  for (;;) {
    at = findLineEnd(window, at)
    const isCut = at >= window.length || (window.bytes[at] === CR && at + 1 >= window.length)
    if (!isCut || window.ended) break
    const keep = at - start > longest ? at : start
    const moved = await window.more(keep)
    at = moved + (at - keep)
    start = keep === start ? moved : at
  }
  const lineEnd = lineEndAt(window.bytes, at, window.length)
  const next = at + widths[lineEnd]
  return { start, end: at, next, lineEnd, isLast: next >= window.length && window.ended }
}

/** What ends a line at a place. `to` is where the bytes end, and with them perhaps the last line. */
export function lineEndAt(bytes: Uint8Array, at: number, to: number): LineEnd {
  if (at >= to) return 'none'
  if (bytes[at] === LF) return 'lf'
  return at + 1 < to && bytes[at + 1] === LF ? 'crlf' : 'cr'
}

/** By short steps, so that where lines end in CR no LF is looked for in all that follows. */
function findLineEnd({ bytes, length }: Window, from: number): number {
  for (let at = from; at < length; at += stepBytes) {
    const step = bytes.subarray(at, Math.min(at + stepBytes, length))
    const lf = step.indexOf(LF)
    const cr = (lf < 0 ? step : step.subarray(0, lf)).indexOf(CR)
    if (cr >= 0 || lf >= 0) return at + (cr < 0 ? lf : cr)
  }
  return length
}

/** Makes sure that there is enough to look at. */
async function ahead(window: Window, from: number): Promise<number> {
  let at = from
  while (!window.ended && window.length - at < lookahead) at = await window.more(at)
  return at
}

function isSelfContained(start: number, end: number, fault: Break, options: RecoverOptions): boolean {
  if (fault === 'too-long') return true
  if (fault === 'open-too-long') return false
  const { window, columns, dialect } = options
  const { delimiters, quotes } = countMarks(window.bytes.subarray(start, end), dialect)
  return delimiters === columns - 1 && (fault === 'bare-quote' || quotes % 2 === 0)
}

/** What is escaped counts for nothing. */
function countMarks(line: Buffer, { delimiter, quote, escape }: Dialect): { delimiters: number; quotes: number } {
  const between = Buffer.from(delimiter)
  const [quoteByte, escapeByte] = [quote, escape === quote ? null : escape].map((char) => char?.charCodeAt(0))
  let [delimiters, quotes] = [0, 0]
  for (let at = 0; at < line.length; at++) {
    const byte = line[at]
    if (byte === escapeByte) at++
    else if (byte === quoteByte) quotes++
    else if (byte === between[0] && line.compare(between, 0, between.length, at, at + between.length) === 0) {
      delimiters++
      at += between.length - 1
    }
  }
  return { delimiters, quotes }
}

function beginsSound(from: number, { window, machine, columns }: RecoverOptions): boolean {
  const to = Math.min(window.length, from + lookahead)
  const last = window.ended && to === window.length
  const first = machine.next(window.bytes, from, to, last)
  if (first !== 'record' || machine.count !== columns) return false
  if (last && machine.end >= to) return true
  const second = machine.next(window.bytes, machine.end, to, last)
  return second === 'blank' || second === 'comment' || (second === 'record' && machine.count === columns)
}
