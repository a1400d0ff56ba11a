/**
 * A file made ready for DuckDB, with its records counted: bytes come out that DuckDB cannot misread. A simple file is
 * handed on as it stands; of every other a flat copy is made.
 */
import { open } from 'node:fs/promises'
import type { Warning } from '../model.ts'
import { compressionOf } from './bytes.ts'
import { type ColumnEvidence, columnEvidence } from './evidence.ts'
import type { Fault } from './fault.ts'
import { flatDelimiter } from './flat.ts'
import { type Scan, scanBeginning, scanSimple, scanSound } from './halves.ts'
import { columnFlags, type Kernel, suitsKernel } from './kernel/kernel.ts'
import { certainFile, type OpenFile, openFile, type OpenOptions } from './open.ts'
import { type LineEnds, readRecords, type Tally } from './records.ts'
import { lineEndsOf, tallyWarnings } from './report.ts'

/** Bytes a line may have for DuckDB to read it where it stands. */
const longestLine = 1 << 20

export interface Reading {
  /**
   * `plain`: the file itself, one record a line, no quoting. `flat`: a copy of that kind, see `flat.ts`. `placed`: the
   * same with the place of each record before its cells. `none`: the records were looked at, and no copy was made.
   */
  readonly layout: 'plain' | 'flat' | 'placed' | 'none'
  readonly path: string
  readonly delimiter: string
  readonly lineEnd: '\n' | '\r\n'
  /** Lines before the first record. */
  readonly skip: number
  /** Every record seen, the rejected ones included. */
  readonly records: number
  readonly rejected: number
  readonly blankLines: number
  /** Of each column, whether some cell of a flat copy is written with escapes. */
  readonly escaped: readonly boolean[]
  /** No line at `path` has more bytes. */
  readonly longest: number
  /** Of each column, over all records that were not rejected. */
  readonly evidence: readonly ColumnEvidence[]
  readonly file: OpenFile
  readonly warnings: readonly Warning[]
}

export interface ReadOptions extends OpenOptions {
  readonly kernel: Kernel
  /** Whether a file that is not simple is to be copied at once. */
  readonly copy: boolean
  /** Whether an empty cell in quotes is told apart from nothing in a flat copy. */
  readonly keepEmpty: boolean
  /** How many there may be. */
  readonly threads: number
  /** What has come of it when the whole file was looked at before. */
  readonly known?: Scan | undefined
  /** Told in the order of the file. */
  readonly onFault: (fault: Fault, file: OpenFile) => Promise<void>
}

/** @throws {AppError} rejected, when the file cannot be trusted at all. */
export async function readFile(path: string, options: ReadOptions): Promise<Reading> {
  const file = await openFile(path, options, 'presumed')
  const plain = await readPlain(file, options)
  if (plain !== undefined) return plain
  const uncopied = options.copy ? undefined : await readSound(file, options)
  if (uncopied !== undefined) return uncopied
  return await readFlat(await certainFile(path, file, options), options.copy ? 'flat' : 'none', options)
}

/** What the beginning of a big file lets expect of all of it. */
export interface Beginning {
  /** As if there were nothing more. */
  readonly reading: Reading
  /** About how many records there are. */
  readonly about: number
}

/** Undefined, where there is nothing to be built upon: the file is small or compressed, or some of its records at fault. */
export async function readBeginning(path: string, options: ReadOptions): Promise<Beginning | undefined> {
  if ((await compressionOf(path)) !== 'none') return undefined
  const file = await openFile(path, options, 'presumed')
  if (!suitsKernel(file.dialect)) return undefined
  const scan = await scanBeginning(file, { ...options, onProgress: () => {} })
  return scan && { reading: unread(file, scan), about: scan.about }
}

/**
 * A simple file is read where it stands: no quote, no control character, valid UTF-8, no blank line, one kind of line
 * ending, no endless line, and in each record as many cells as in the header. Its records are its lines, whoever counts.
 */
async function readPlain(file: OpenFile, options: ReadOptions): Promise<Reading | undefined> {
  const { dialect, start, sniffed } = file
  if (sniffed.preamble.lines > 0 || !suitsKernel(dialect)) return undefined
  // DuckDB drops a mark only together with the header.
  if (file.hasQuotes || file.line > 2 || (!sniffed.header.present && start > 0)) return undefined
  const scan = await scanSimple(file, options)
  if (scan === undefined) return undefined
  const { tally, evidence } = scan
  const lineEnd = lineEndOf(lineEndsOf(file, tally))
  if (lineEnd === undefined || tally.longestRecord >= longestLine) return undefined
  const place = { path: file.path, delimiter: dialect.delimiter, lineEnd, skip: sniffed.header.present ? 1 : 0 }
  return { layout: 'plain', ...place, ...readingOf(file, tally, evidence), longest: longestLine }
}

/** A file without a single fault is read in two halves. That it is UTF-8, which may have been presumed, shows then, too. */
async function readSound(file: OpenFile, options: ReadOptions): Promise<Reading | undefined> {
  const scan = suitsKernel(file.dialect) ? await scanSound(file, options) : undefined
  return scan && unread(file, scan)
}

function unread(file: OpenFile, { tally, evidence }: Scan): Reading {
  const place = { path: file.path, delimiter: file.dialect.delimiter, lineEnd: '\n', skip: 0 } as const
  return { layout: 'none', ...place, ...readingOf(file, tally, evidence), longest: 0 }
}

/** @param layout `placed` costs more, and is for a file in which a value was found that does not fit. */
export async function readFlat(
  file: OpenFile,
  layout: 'flat' | 'placed' | 'none',
  options: ReadOptions,
): Promise<Reading> {
  const path = `${options.scratch}.flat`
  await using copy = await open(path, 'w')
  // DuckDB would take some first bytes for a mark, so the first line is no record.
  await copy.appendFile('flat\n')
  const { kernel, keepEmpty, onFault, signal, onProgress } = options
  const tally = await readRecords(file.path, kernel, {
    dialect: file.dialect,
    names: file.header,
    start: file.start,
    line: file.line,
    output: layout === 'none' ? 'nothing' : layout,
    flags: file.header.map(() => (keepEmpty ? columnFlags.keepEmpty : 0)),
    shapes: true,
    write: (bytes) => copy.appendFile(bytes),
    onFault: (fault) => onFault(fault, file),
    onProgress,
    simpleOnly: false,
    signal,
  })
  const evidence = file.header.map((_, column) => columnEvidence(kernel.evidence, column))
  const place = { path, delimiter: flatDelimiter, lineEnd: '\n', skip: 1 } as const
  return { layout, ...place, ...readingOf(file, tally, evidence), longest: tally.longestWritten }
}

function readingOf(file: OpenFile, tally: Tally, evidence: readonly ColumnEvidence[]) {
  return {
    records: tally.records,
    rejected: tally.rejected,
    blankLines: tally.blankLines,
    escaped: tally.escaped,
    evidence,
    file,
    warnings: [...file.warnings, ...tallyWarnings(file, tally)],
  }
}

/** The line ending that all lines keep to; undefined when they do not. */
function lineEndOf({ lf, crlf, cr }: LineEnds): '\n' | '\r\n' | undefined {
  if (cr > 0 || (lf > 0 && crlf > 0)) return undefined
  return crlf > 0 ? '\r\n' : '\n'
}
