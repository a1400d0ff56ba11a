/**
 * The question whether a file is simple, asked by two threads: the one that asks looks at the first half, another at the
 * second. Where the halves meet there is a line end, which in a simple file ends a record.
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

/** What the other thread is to look at. */
export interface Half {
  readonly file: Pick<OpenFile, 'path' | 'dialect' | 'header'>
  readonly start: number
  readonly end: number
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
}

/** What the records are, if the file is simple. If it is not, the tally says so, and nothing else of it is true. */
export async function scanSimple(file: OpenFile, options: ScanOptions): Promise<Scan> {
  const { start, textBytes } = file
  const half =
    options.threads < 2 || textBytes - start < leastBytes
      ? -1
      : await lineAfter(file, Math.floor((start + textBytes) / 2))
  if (half < 0) return await scanPart({ file, start, end: textBytes }, file.line, options)
  const other = elsewhere({
    file: { path: file.path, dialect: file.dialect, header: file.header },
    start: half,
    end: textBytes,
  })
  try {
    const first = await scanPart({ file, start, end: half }, file.line, {
      ...options,
      onProgress: (bytes) => options.onProgress(bytes * 2),
    })
    if (!first.tally.isSimple) return first
    return joined(first, await other.result, file.line)
  } finally {
    await other.stop()
  }
}

/** @param line of the part's first record. */
export async function scanPart(
  { file, start, end }: Half,
  line: number,
  options: Omit<ScanOptions, 'threads'>,
): Promise<Scan> {
  const { kernel, signal, onProgress } = options
  const tally = await readRecords(file.path, kernel, {
    dialect: file.dialect,
    names: file.header,
    start,
    end,
    line,
    output: 'nothing',
    shapes: true,
    simpleOnly: true,
    write: async () => {},
    onFault: async () => {},
    onProgress,
    signal,
  })
  return { tally, evidence: file.header.map((_, column) => columnEvidence(kernel.evidence, column)) }
}

function elsewhere(half: Half): { result: Promise<Scan>; stop: () => Promise<unknown> } {
  const worker = new Worker(new URL('simple-worker.ts', import.meta.url), { workerData: half })
  const result = once(worker, 'message').then(([scan]) => scan as Scan)
  // Whoever waits for it is told; if the first half is not simple, nobody does.
  result.catch(() => undefined)
  return { result, stop: () => worker.terminate() }
}

/** Both halves as one. Each record of a simple file is a line, which tells where the lines of the second begin. */
function joined(first: Scan, second: Scan, line: number): Scan {
  const [one, other] = [first.tally, second.tally]
  const before = line + one.records - 1
  const tally = {
    ...one,
    records: one.records + other.records,
    lineEnds: {
      lf: one.lineEnds.lf + other.lineEnds.lf,
      crlf: one.lineEnds.crlf + other.lineEnds.crlf,
      cr: one.lineEnds.cr + other.lineEnds.cr,
    },
    isSimple: one.isSimple && other.isSimple,
    longestRecord: Math.max(one.longestRecord, other.longestRecord),
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
