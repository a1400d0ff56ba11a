/** What stands at the edges of a text and is none of it: byte-order marks before, the end-of-file mark of DOS behind. */
import { createReadStream } from 'node:fs'
import { stat, truncate } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { openTarget } from '../target.ts'
import { trailingBytes } from './blocks.ts'

/** In UTF-8; the second is one that some program took for Latin-1, and encoded once more. */
const marks: readonly Buffer[] = ['\ufeff', 'ï»¿'].map((text) => Buffer.from(text))
/** Of the one that a text may have. */
export const markBytes = 3
const leads: ReadonlySet<number | undefined> = new Set(marks.map(([lead]) => lead))
const marksBefore = /^(?:\ufeff|ï»¿)+/

/** Ctrl-Z, with which DOS ends a text, and CP/M fills up its last block. */
const endMark = 0x1a

/** How many bytes from a place on are byte-order marks, of UTF-8 text. */
export function marksAt(bytes: Buffer, from: number): number {
  let at = from
  while (leads.has(bytes[at])) {
    const found = marks.find((mark) => bytes.subarray(at, at + mark.length).equals(mark))
    if (found === undefined) break
    at += found.length
  }
  return at - from
}

/** Whether a byte-order mark stands right before a place. */
export function isMarked(bytes: Buffer, at: number): boolean {
  return marks.some((mark) => at >= mark.length && bytes.subarray(at - mark.length, at).equals(mark))
}

/** A label without the byte-order marks that it begins with. */
export function unmarked(label: string): string {
  return label.replace(marksBefore, '')
}

export interface Text {
  readonly path: string
  readonly bytes: number
  /** How many end-of-file marks it has lost. */
  readonly endMarks: number
}

/**
 * A text without the end-of-file marks that it ends in.
 * @param target where it is copied to without them; undefined when the file is ours to shorten.
 */
export async function withoutEndMarks(path: string, target: string | undefined, signal: AbortSignal): Promise<Text> {
  const { size } = await stat(path)
  const endMarks = await trailingBytes(path, endMark)
  const bytes = size - endMarks
  if (endMarks === 0) return { path, bytes, endMarks }
  if (target === undefined) await truncate(path, bytes)
  else
    await pipeline(bytes === 0 ? [] : createReadStream(path, { end: bytes - 1 }), await openTarget(target), { signal })
  return { path: target ?? path, bytes, endMarks }
}
