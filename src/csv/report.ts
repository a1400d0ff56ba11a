/** What reading a file has found out, as `report.json` tells it. */
import type { Warning } from '../model.ts'
import type { ColumnType } from '../table-schema.ts'
import type { Compression } from './bytes.ts'
import type { Dialect } from './dialect.ts'
import type { Detection } from './encoding.ts'
import { type ColumnEvidence, countOf } from './evidence.ts'
import { infer } from './infer.ts'
import type { OpenFile } from './open.ts'
import type { LineEnds, Tally } from './records.ts'
import { filledShapes, type Shape } from './shapes.ts'
import type { Header, Preamble, Sniffed } from './sniff.ts'

export interface CleanReport {
  readonly file: string
  /** As it came, before it was unpacked. */
  readonly bytes: number
  readonly compression: Compression
  readonly encoding: Pick<Detection, 'encoding' | 'mark' | 'how' | 'confidence' | 'alternatives'>
  readonly dialect: Dialect & Pick<Sniffed, 'how' | 'confidence' | 'evidence' | 'alternatives'>
  readonly header: Pick<Header, 'present' | 'how' | 'confidence' | 'evidence'> & {
    readonly line: number | null
    readonly names: readonly string[]
  }
  readonly preamble: Pick<Preamble, 'lines' | 'how' | 'confidence' | 'evidence'>
  /** records = rows + rejects.total */
  readonly records: number
  readonly rows: number
  readonly rejects: { readonly total: number; readonly by_code: Readonly<Record<string, number>> }
  readonly blank_lines: number
  readonly comments: number
  readonly line_ends: LineEnds
  readonly warnings: readonly Warning[]
  readonly columns: readonly ColumnReport[]
}

/** See `InferredColumn`. */
export interface ColumnReport {
  readonly position: number
  readonly name: string
  readonly type: ColumnType
  readonly values: number
  readonly nulls: number
  readonly quoted_empty: number
  readonly longest_bytes: number
  readonly fits: Readonly<Record<string, number>>
  readonly counterexamples: Readonly<Record<string, readonly { readonly line: number; readonly looks_like: Shape }[]>>
}

export function reportOf(
  file: OpenFile,
  tally: Tally,
  evidence: readonly ColumnEvidence[],
  rejects: ReadonlyMap<string, number>,
): CleanReport {
  const { dialect, preamble, header } = file.sniffed
  const { how, confidence, evidence: why, alternatives } = file.sniffed
  const { encoding, mark, how: howEncoded, confidence: sure, alternatives: others } = file.encoding
  return {
    file: file.name,
    bytes: file.bytes,
    compression: file.compression,
    encoding: { encoding, mark, how: howEncoded, confidence: sure, alternatives: others },
    dialect: { ...dialect, how, confidence, evidence: why, alternatives },
    header: {
      present: header.present,
      how: header.how,
      confidence: header.confidence,
      evidence: header.evidence,
      line: header.present ? header.line : null,
      names: file.header,
    },
    preamble: {
      lines: preamble.lines,
      how: preamble.how,
      confidence: preamble.confidence,
      evidence: preamble.evidence,
    },
    records: tally.records,
    rows: tally.records - tally.rejected,
    rejects: { total: tally.rejected, by_code: Object.fromEntries(rejects) },
    blank_lines: tally.blankLines,
    comments: tally.comments,
    line_ends: lineEndsOf(file, tally),
    warnings: [...file.warnings, ...tallyWarnings(file, tally), ...columnWarnings(file.header, evidence)],
    columns: evidence.map((one, position) => columnReport(file.header[position] ?? '', position, one)),
  }
}

function columnReport(name: string, position: number, evidence: ColumnEvidence): ColumnReport {
  const { type, values, nulls, quotedEmpty, longest, fits, counterexamples } = infer(evidence)
  return {
    position: position + 1,
    name,
    type,
    values,
    nulls,
    quoted_empty: quotedEmpty,
    longest_bytes: longest,
    fits,
    counterexamples: Object.fromEntries(
      Object.entries(counterexamples).map(([other, found]) => [
        other,
        found.map(({ line, shape }) => ({ line, looks_like: shape })),
      ]),
    ),
  }
}

/** Of the header and the records. */
export function lineEndsOf({ headerEnd }: OpenFile, { lineEnds }: Tally): LineEnds {
  return headerEnd === undefined ? lineEnds : { ...lineEnds, [headerEnd]: lineEnds[headerEnd] + 1 }
}

/** What the records as a whole give reason to say. */
export function tallyWarnings(file: OpenFile, tally: Tally): Warning[] {
  const { records, blankLines } = tally
  const warnings: Warning[] = []
  if (records === 0) {
    const what = file.sniffed.header.present ? 'a header and no rows' : 'no rows'
    warnings.push({ code: 'no-rows', message: `the file has ${what}` })
  }
  if (blankLines > 0) {
    const what = blankLines === 1 ? 'one blank line was' : `${blankLines} blank lines were`
    warnings.push({ code: 'blank-row', message: `${what} skipped` })
  }
  const kinds = Object.entries(lineEndsOf(file, tally)).filter(([, count]) => count > 0)
  if (kinds.length > 1) {
    const list = kinds.map(([kind, count]) => `${count} end in ${kind.toUpperCase()}`).join(', ')
    warnings.push({
      code: 'mixed-line-ends',
      message: `lines do not all end alike (${list}); each was taken as an end`,
    })
  }
  return warnings
}

/** What columns hold that could be more than text, if somebody said how it is to be read. */
export function columnWarnings(names: readonly string[], evidence: readonly ColumnEvidence[]): Warning[] {
  return evidence.flatMap((one, i): Warning[] => {
    const column = `column “${names[i] ?? ''}”`
    const filled = countOf(one, filledShapes)
    const all = (...some: Shape[]) => filled > 0 && countOf(one, some) === filled
    if (all('local-date')) {
      const message = `${column} holds dates such as on line ${one.firstLines['local-date']}, whose day and month nobody can tell apart for certain; it stays text until a schema gives their format`
      return [{ code: 'ambiguous-date', message }]
    }
    if (one.counts['decimal-comma'] > 0 && all('decimal-comma', 'integer')) {
      const message = `${column} holds numbers with a comma, such as on line ${one.firstLines['decimal-comma']}; it stays text until a schema gives its decimalChar`
      return [{ code: 'decimal-comma', message }]
    }
    if (all('local-datetime')) {
      const message = `${column} holds times without a zone, such as on line ${one.firstLines['local-datetime']}; it stays text until a schema gives their zone`
      return [{ code: 'local-datetime', message }]
    }
    return []
  })
}
