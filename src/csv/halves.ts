/**
 * A file looked at by two threads: the one that asks takes the first half, another the second. They meet at a line end,
 * which may stand inside quotes; but when the first half ends there without a fault, some record ends there, too.
 */
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { type ColumnEvidence, columnEvidence, merge } from './evidence.ts'
import type { Kernel } from './kernel/kernel.ts'
import type { OpenFile } from './open.ts'
import { readRecords, type Tally } from './records.ts'
import { shapes } from './shapes.ts'

/** Less is not worth the start of a thread. */
const leastBytes = 32 << 20

/** What is looked at to expect the same of the rest. */
const beginningBytes = 4 << 20

/** What a thread is to look at. */
export interface Part {
  readonly file: Pick<OpenFile, 'path' | 'dialect' | 'header'>
  readonly start: number
  readonly end: number
  /** Of its first record. */
  readonly line: number
  /** Whether to stop once the file is known not to be simple. */
  readonly simpleOnly: boolean
}

export interface Scan {
  readonly tally: Tally
  readonly evidence: readonly ColumnEvidence[]
}

export interface ScanOptions {
  readonly kernel: Kernel
  readonly threads: number
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number) => void
  /** What has come of it when the whole file was looked at before. */
  readonly known?: Scan | undefined
}

/** What the records are, if the file is simple; undefined if it is not. */
export function scanSimple(file: OpenFile, options: ScanOptions): Promise<Scan | undefined> {
  return scan(file, { ...options, simpleOnly: true, suits: ({ isSimple }) => isSimple })
}

/** What the records are, if not one is at fault; undefined if some is. */
export function scanSound(file: OpenFile, options: ScanOptions): Promise<Scan | undefined> {
  return scan(file, { ...options, simpleOnly: false, suits: ({ rejected }) => rejected === 0 })
}

interface Question extends ScanOptions {
  readonly simpleOnly: boolean
  readonly suits: (tally: Tally) => boolean
}

async function scan(file: OpenFile, { suits, known, ...options }: Question): Promise<Scan | undefined> {
  if (known !== undefined) return suits(known.tally) ? known : undefined
  const { path, dialect, header, start, textBytes, line } = file
  const { simpleOnly, threads, onProgress } = options
  const part = { file: { path, dialect, header }, simpleOnly }
  const isBig = threads > 1 && textBytes - start >= leastBytes
  const half = isBig ? await lineAfter(file, Math.floor((start + textBytes) / 2)) : -1
  if (half < 0) {
    const whole = await scanPart({ ...part, start, end: textBytes, line }, options)
    return suits(whole.tally) ? whole : undefined
  }
  // Where its lines are, the first half will tell.
  const other = elsewhere({ ...part, start: half, end: textBytes, line: 1 })
  try {
    const twice = { ...options, onProgress: (bytes: number) => onProgress(bytes * 2) }
    const first = await scanPart({ ...part, start, end: half, line }, twice)
    if (!suits(first.tally)) return undefined
    const second = await other.result
    return suits(second.tally) ? joined(first, second) : undefined
  } finally {
    await other.stop()
  }
}

export async function scanPart(
  { file, start, end, line, simpleOnly }: Part,
  { kernel, signal, onProgress }: Omit<ScanOptions, 'threads'>,
): Promise<Scan> {
  const tally = await readRecords(file.path, kernel, {
    dialect: file.dialect,
    names: file.header,
    start,
    end,
    line,
    output: 'nothing',
    shapes: true,
    simpleOnly,
    write: async () => {},
    onFault: async () => {},
    onProgress,
    signal,
  })
  return { tally, evidence: file.header.map((_, column) => columnEvidence(kernel.evidence, column)) }
}

/**
 * What the records at the beginning of a big file are; undefined for a smaller one, and where some is at fault.
 * @returns besides, about how many there are in the whole file.
 */
export async function scanBeginning(
  file: OpenFile,
  options: Omit<ScanOptions, 'threads'>,
): Promise<(Scan & { readonly about: number }) | undefined> {
  const { path, dialect, header, start, textBytes, line } = file
  if (textBytes - start < leastBytes) return undefined
  const end = await lineAfter(file, start + beginningBytes)
  if (end < 0) return undefined
  const part = { file: { path, dialect, header }, start, end, line, simpleOnly: false }
  const scanned = await scanPart(part, options)
  if (scanned.tally.rejected > 0) return undefined
  return { ...scanned, about: Math.round((scanned.tally.records * (textBytes - start)) / (end - start)) }
}

function elsewhere(part: Part): { result: Promise<Scan>; stop: () => Promise<unknown> } {
  const worker = new Worker(new URL('halves-worker.ts', import.meta.url), { workerData: part })
  const result = once(worker, 'message').then(([scanned]) => scanned as Scan)
  // Whoever waits for it is told; if the first half does not suit, nobody does.
  result.catch(() => undefined)
  return { result, stop: () => worker.terminate() }
}

/** Both halves as one. */
function joined(first: Scan, second: Scan): Scan {
  const [one, other] = [first.tally, second.tally]
  const before = one.endLine - 1
  const tally: Tally = {
    records: one.records + other.records,
    rejected: one.rejected + other.rejected,
    blankLines: one.blankLines + other.blankLines,
    comments: one.comments + other.comments,
    lineEnds: {
      lf: one.lineEnds.lf + other.lineEnds.lf,
      crlf: one.lineEnds.crlf + other.lineEnds.crlf,
      cr: one.lineEnds.cr + other.lineEnds.cr,
    },
    isSimple: one.isSimple && other.isSimple,
    longestRecord: Math.max(one.longestRecord, other.longestRecord),
    longestWritten: Math.max(one.longestWritten, other.longestWritten),
    endLine: before + other.endLine,
    escaped: one.escaped.map((flag, i) => flag || other.escaped[i] === true),
  }
  const evidence = first.evidence.map((column, i) => merge(column, moved(second.evidence[i], before)))
  return { tally, evidence }
}

function moved(evidence: ColumnEvidence | undefined, lines: number): ColumnEvidence | undefined {
  if (evidence === undefined) return undefined
  const firstLines = Object.fromEntries(
    shapes.map((shape) => [shape, evidence.counts[shape] > 0 ? evidence.firstLines[shape] + lines : 0]),
  ) as ColumnEvidence['firstLines']
  return { ...evidence, firstLines }
}

/** Behind the first line feed from some place on; -1 where none is near. */
async function lineAfter({ path }: OpenFile, from: number): Promise<number> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1 << 20), 0, 1 << 20, from)
  const at = buffer.subarray(0, bytesRead).indexOf(0x0a)
  return at < 0 ? -1 : from + at + 1
}
