/** One file to clean CSV: UTF-8, commas, LF, quotes only where they are needed, and every value as it was. */
import type { RejectCode } from '../codes.ts'
import { columnEvidence } from './evidence.ts'
import { Kernel } from './kernel/kernel.ts'
import { openFile, type OpenOptions } from './open.ts'
import { RawReader } from './raw.ts'
import { readRecords } from './records.ts'
import { type CleanReport, reportOf } from './report.ts'
import { cleanLine } from './write.ts'

/** A reject with its place in the decompressed bytes as they came. */
export interface CleanReject {
  readonly line: number
  readonly byteOffset: number
  readonly record: number
  readonly column: string | null
  readonly code: RejectCode
  readonly message: string
  readonly raw: string
}

export interface CleanOptions extends OpenOptions {
  /** Takes the clean file, a piece at a time. The bytes are its own only until it resolves. */
  readonly write: (bytes: Buffer) => Promise<void>
  readonly onReject: (reject: CleanReject) => Promise<void>
}

/**
 * The report is there also where not one record is sound, to tell what may have been guessed wrong.
 * @throws {AppError} rejected, when the file cannot be read at all: no CSV, a broken header.
 */
export async function clean(path: string, options: CleanOptions): Promise<CleanReport> {
  const { signal, onProgress, write, onReject } = options
  const file = await openFile(path, options, 'certain')
  await using raw = await RawReader.open(file)
  const kernel = await Kernel.load()
  const codes = new Map<string, number>()
  await write(Buffer.from(cleanLine(file.header)))
  const tally = await readRecords(file.path, kernel, {
    dialect: file.dialect,
    names: file.header,
    start: file.start,
    line: file.line,
    output: 'clean',
    shapes: true,
    write,
    simpleOnly: false,
    signal,
    onProgress,
    onFault: async (fault) => {
      codes.set(fault.code, (codes.get(fault.code) ?? 0) + 1)
      const { line, record, column, code, message } = fault
      await onReject({ line, record, column, code, message, ...(await raw.read(fault)) })
    },
  })
  const evidence = file.header.map((_, column) => columnEvidence(kernel.evidence, column))
  return reportOf(file, tally, evidence, codes)
}
