/**
 * Where reading goes on behind a record whose quotes are broken. Nobody can know where such a record ends, so the rule is
 * a careful one. A line that has all its delimiters, and quotes that do not reach beyond it, is the whole of the record.
 * Otherwise the record ends before the first line from which two sound records in a row can be read (or one and the end
 * of the file): text that was meant to be quoted seldom looks like that twice, and what is taken for a row must be one.
 */
import type { Machine, Outcome } from './machine.ts'
import type { Window } from './window.ts'

const LF = 0x0a
const CR = 0x0d

/** Bytes that are looked at ahead. */
const lookahead = 64 << 10

/** `open-too-long`: it is so long because of a quote that may never be closed. */
export type Break = Outcome | 'too-long' | 'open-too-long'

export interface Recovery {
  /** Places in the window: where the broken record ends, without and with its line end. */
  readonly end: number
  readonly next: number
  /** Physical lines passed. */
  readonly lines: number
  /** Bytes from the record's beginning to its end without the line end. */
  readonly byteLength: number
}

export interface RecoverOptions {
  readonly window: Window
  readonly machine: Machine
  readonly columns: number
  /** The dialect's, as bytes. */
  readonly delimiter: Buffer
  readonly quote: number
}

/** @param from where the broken record begins in the window. */
export async function recover(from: number, fault: Break, options: RecoverOptions): Promise<Recovery> {
  const { window } = options
  const start = window.offset + from
  let lines = 0
  let at = from
  for (;;) {
    const line = await passLine(window, at)
    lines++
    const reached = { ...line, lines, byteLength: window.offset + line.end - start }
    if (line.isLast) return reached
    const isWhole = lines === 1 && isSelfContained(line.start, line.end, fault, options)
    if (isWhole) return reached
    const behind = await ahead(window, line.next)
    const here = { ...reached, end: behind - (line.next - line.end), next: behind }
    if (behind >= window.length || beginsSound(behind, options)) return here
    at = behind
  }
}

interface Line {
  readonly start: number
  readonly end: number
  readonly next: number
  readonly isLast: boolean
}

/** The line that begins at a place. What lies before it may be forgotten. */
async function passLine(window: Window, from: number): Promise<Line> {
  let start = from
  let at = from
  for (;;) {
    at = lineEnd(window, at)
    const isCut = at >= window.length || (window.bytes[at] === CR && at + 1 >= window.length)
    if (!isCut || window.ended) break
    // A line may be longer than the window; its beginning is then lost, and only its end counts.
    const keep = at - start > 1 << 20 ? at : start
    const moved = await window.more(keep)
    at = moved + (at - keep)
    start = keep === start ? moved : at
  }
  if (at >= window.length) return { start, end: at, next: at, isLast: true }
  const next = at + (window.bytes[at] === CR && window.bytes[at + 1] === LF && at + 1 < window.length ? 2 : 1)
  return { start, end: at, next, isLast: next >= window.length && window.ended }
}

function lineEnd({ bytes, length }: Window, from: number): number {
  const lf = bytes.subarray(from, length).indexOf(LF)
  const to = lf < 0 ? length : from + lf
  const cr = bytes.subarray(from, to).indexOf(CR)
  return cr < 0 ? to : from + cr
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
  const { window, columns, delimiter, quote } = options
  const text = window.bytes.subarray(start, end)
  return count(text, delimiter) === columns - 1 && (fault === 'bare-quote' || count(text, Buffer.of(quote)) % 2 === 0)
}

function count(text: Buffer, what: Buffer): number {
  let found = 0
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + what.length)) found++
  return found
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
