/** Which reading of a sample is taken, and how sure that is. */
import type { ReaderOptions } from '../../definition.ts'
import type { Dialect } from '../dialect.ts'
import { nameOf } from './delimiters.ts'
import { gradeTable, type Reading } from './grade.ts'
import { dialectsOf, type Readings, readingsOf } from './readings.ts'
import { readRows, type Span } from './trial.ts'

/** A reading that is less likely than this, in comparison, is no alternative. */
const leastLikely = 0.35
/** And one under which fewer of the records agree is none either. */
const leastConsistent = 0.75

export interface Choice {
  readonly reading: Reading
  readonly dialect: Dialect
  readonly confidence: number
  readonly evidence: string
  readonly alternatives: readonly Alternative[]
}

export interface Alternative {
  readonly dialect: Dialect
  readonly columns: number
  /** How likely in comparison: 1, as likely as the dialect that was taken. */
  readonly likelihood: number
}

export function choose(sample: Buffer, span: Span, given: ReaderOptions): Choice {
  const readings = readingsOf(sample, span, given)
  const reading = bestOf(readings, given)
  // A delimiter that was given and parts nothing may be a slip.
  const others = reading.width > 1 ? readings : readingsOf(sample, span, { ...given, delimiter: undefined })
  const alternatives = alternativesTo(reading, others)
  const dialect = settleQuotes(sample, span, given, reading)
  const confidence =
    given.delimiter === undefined ? sureness(reading, readings) * quoteSureness(reading) : quoteSureness(reading)
  return { reading, dialect, confidence, evidence: evidenceOf(reading), alternatives }
}

function bestOf({ tables: [table], list }: Readings, given: ReaderOptions): Reading {
  if (table === undefined) return list
  const isTable = given.delimiter === undefined ? table.score > list.score : table.consistency >= list.consistency
  return isTable ? table : list
}

function alternativesTo(taken: Reading, { tables, list }: Readings): Alternative[] {
  return [...tables, list]
    .filter((other) => other !== taken && other.consistency >= leastConsistent)
    .filter((other) => other.width > 1 || taken.width > 1)
    .map((other) => ({
      dialect: other.trial.dialect,
      columns: other.width,
      likelihood: round(Math.min(1, other.score / Math.max(taken.score, 0.01))),
    }))
    .filter(({ likelihood }) => likelihood >= leastLikely)
    .toSorted((a, b) => b.likelihood - a.likelihood)
    .slice(0, 5)
}

function sureness(taken: Reading, { tables, list }: Readings): number {
  const others = [...tables, list].filter((other) => other !== taken)
  const next = Math.max(0, ...others.map(({ score }) => score))
  const rows = taken.trial.rows.length - taken.start
  const enough = [0.7, 0.75, 0.87, 0.93, 0.97][rows] ?? 1
  // One column is what is left when nothing else is found.
  if (taken.width === 1 && tables.length === 0) return taken.consistency * (rows > 1 ? 0.95 : 0.8)
  const worth = taken.width === 1 ? Math.min(1, 0.55 + taken.score) : Math.min(1, 0.3 + 0.8 * taken.score)
  return Math.min(0.99, worth * enough * (1 - 0.55 * Math.min(1, next / Math.max(taken.score, 0.01)) ** 3))
}

function quoteSureness({ trial }: Reading): number {
  return trial.rows.length === 0 ? 1 : 1 - Math.min(0.5, trial.faults / trial.rows.length)
}

function evidenceOf({ trial, start, width, consistency, delimiter }: Reading): string {
  const records = trial.rows.length - start
  const cells = width === 1 ? '1 cell' : `${width} cells, parted by ${nameOf(delimiter.text)}`
  const quotes = `quoted cells: ${trial.quoted}; records with broken quotes: ${trial.faults}`
  const fit = `${Math.round(consistency * records)} of the first ${records} records have ${cells}`
  return trial.quoted + trial.faults > 0 ? `${fit}; ${quotes}` : fit
}

/**
 * The reading's dialect, with the quote and the escape that the rest of the sample asks for where the part that was
 * looked at has no quotes, or none that are escaped.
 */
function settleQuotes(sample: Buffer, span: Span, given: ReaderOptions, { trial, delimiter, width }: Reading): Dialect {
  const { dialect } = trial
  const last = trial.rows.at(-1)
  if (last === undefined || last.end >= span.to) return dialect
  const rest = sample.subarray(last.end, span.to)
  const isOpen = trial.quoted === 0 && trial.faults === 0 && rest.includes('"')
  const isEscaped = dialect.quote === '"' && dialect.escape === '"' && rest.includes('\\"')
  if (!isOpen && !isEscaped) return dialect
  const restSpan = { ...span, from: last.end, line: last.line + last.lines }
  const dialects = dialectsOf(rest, dialect.delimiter, given).filter(({ quote }) => isOpen || quote === dialect.quote)
  let [best, taken] = [0, dialect]
  for (const other of dialects) {
    const read = readRows(sample, other, restSpan, Number.POSITIVE_INFINITY)
    // Of thousands of rows, those with quotes may be few; only they tell.
    const telling = read.rows.filter((row) => !row.sound || sample.subarray(row.start, row.end).includes('"'))
    const { score } = gradeTable(delimiter, { ...read, rows: telling }, 0, width)
    if (score > best * 1.01) [best, taken] = [score, other]
  }
  return taken
}

function round(share: number): number {
  return Math.round(share * 100) / 100
}
