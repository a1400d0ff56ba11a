/** What the pieces of a file are: one file that was cut up, or files with the same header each. */
import { plainStart } from '../csv/door.ts'
import { sniff } from '../csv/sniff.ts'
import { marksAt } from '../csv/text/marks.ts'
import type { Part, Upload } from '../model.ts'
import type { IngestDeps } from './deps.ts'
import { lookedAt, startOf } from './screen.ts'

/**
 * Pieces that each begin with the same header line are united as rows; all others are joined as bytes. A line of data that
 * happens to be the same everywhere is no header: it would be lost.
 */
export async function joinOf(
  { blobs }: Pick<IngestDeps, 'blobs'>,
  parts: readonly Pick<Part, 'blob' | 'bytes'>[],
): Promise<Upload['joined']> {
  const [first, ...others] = parts.filter(({ bytes }) => bytes > 0)
  if (first === undefined || others.length === 0) return 'as bytes'
  const start = await beginningOf(blobs, first)
  const [header, second] = linesOf(start)
  if (header === undefined || header.length === start.length) return 'as bytes'
  if (header.equals(second ?? Buffer.alloc(0)) || !hasHeader(start)) return 'as bytes'
  for (const other of others) {
    const [line] = linesOf(await beginningOf(blobs, other))
    if (line === undefined || bare(line) !== bare(header)) return 'as bytes'
  }
  return 'as rows'
}

/** Programs differ in what they quote. */
function bare(line: Buffer): string {
  return line.toString('latin1').replaceAll('"', '')
}

/** Unpacked, and without a mark of UTF-8. */
async function beginningOf(blobs: IngestDeps['blobs'], { blob }: Pick<Part, 'blob'>): Promise<Buffer> {
  const start = await plainStart(await startOf(blobs, blob, lookedAt))
  return start.subarray(marksAt(start, 0))
}

function hasHeader(start: Buffer): boolean {
  const sniffed = sniff(start, { whole: start.length < lookedAt, given: {} })
  return sniffed.content === 'records' && sniffed.header.present
}

/** The first two lines, without their ends. The last of what there is has none, and of a cut beginning it is no line. */
function linesOf(start: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; lines.length < 2 && at < start.length; ) {
    const found = start.subarray(at).findIndex((byte) => byte === 0x0a || byte === 0x0d)
    if (found < 0 && start.length >= lookedAt) break
    const end = found < 0 ? start.length : at + found
    lines.push(start.subarray(at, end))
    at = end + (start[end] === 0x0d && start[end + 1] === 0x0a ? 2 : 1)
  }
  return lines
}
