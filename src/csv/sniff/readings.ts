/** The readings of a sample that come into question: under each delimiter, the best way of quoting. */
import type { ReaderOptions } from '../../definition.ts'
import type { Dialect } from '../dialect.ts'
import { type Delimiter, delimiters, noDelimiter } from './delimiters.ts'
import { gradeList, gradeTable, type Reading } from './grade.ts'
import { shapesOf } from './start.ts'
import { readTrial, type Span, type Trial } from './trial.ts'

/** A table that is read so well needs no search among the characters that are common in text. */
const goodScore = 0.6
/** Nor does a list of values. */
const listShare = 0.5
/** A table of which so many records agree is believed to be one. */
const leastConsistent = 0.9
/** A way of quoting that is tried later must be better by so much. */
const betterBy = 1.01
/** Apostrophes are quotes only where there are so many cells within them for a record. */
const apostropheShare = 0.5

export interface Readings {
  /** With two columns and more, the best first. */
  readonly tables: readonly Reading[]
  /** As one column. */
  readonly list: Reading
}

export function readingsOf(sample: Buffer, span: Span, given: ReaderOptions): Readings {
  const read = (delimiter: Delimiter) => readTable(sample, span, delimiter, given)
  const list = readList(sample, span, given)
  if (given.delimiter !== undefined) {
    const { text, trust } = delimiters.find((known) => known.text === given.delimiter) ?? {
      text: given.delimiter,
      trust: 1,
    }
    return { tables: read({ text, trust, weak: false }), list }
  }
  const window = sample.subarray(span.from, span.to)
  const occurring = delimiters.filter(({ text }) => window.includes(text))
  const tables = occurring.filter(({ weak }) => !weak).flatMap(read)
  // One record alone would prove nothing for them.
  const isOpen = list.trial.rows.length > 1 && list.typedShare < listShare
  if (isOpen && !tables.some(({ score }) => score >= goodScore)) {
    tables.push(...occurring.filter(({ weak }) => weak).flatMap(read))
  }
  const seen = tables.filter((one) => one.score > 0 && !tables.some((other) => isWithinValue(one, other)))
  return { tables: seen.toSorted((a, b) => b.score - a.score), list }
}

/** Whether one reading's table is what another takes for the text of a value, whose end is out of sight. */
function isWithinValue(one: Reading, other: Reading): boolean {
  const { rows, open } = other.trial
  if (open === undefined || open !== rows.length || other.start > 0 || other.consistency < leastConsistent) return false
  return (one.trial.rows[one.start]?.start ?? 0) >= (rows.at(-1)?.end ?? Number.POSITIVE_INFINITY)
}

/** The best way to read the sample with the delimiter; none where no record has two cells. */
function readTable(sample: Buffer, span: Span, delimiter: Delimiter, given: ReaderOptions): Reading[] {
  const window = sample.subarray(span.from, span.to)
  const dialects = dialectsOf(window, delimiter.text, given)
  const [first] = dialects
  const plain = first === undefined ? [] : [readTrial(sample, first, span)]
  // With sound quotes there is nothing more to try, but for apostrophes.
  const others = plain.some(({ faults }) => faults > 0) ? dialects.slice(1) : dialects.slice(1).filter(isApostrophe)
  const trials = [...plain, ...others.map((dialect) => readTrial(sample, dialect, span))]
  const readings = trials.filter((trial) => isQuotedWell(trial, given)).flatMap((trial) => gradeTrial(trial, delimiter))
  if (first !== undefined && given.delimiter === undefined && plain.some(({ faults }) => faults > 0)) {
    for (const text of spacedOf(window, delimiter.text)) {
      readings.push(...gradeTrial(readTrial(sample, { ...first, delimiter: text }, span), { ...delimiter, text }))
    }
  }
  return best(readings)
}

/** In every shape that its rows may have. */
function gradeTrial(trial: Trial, delimiter: Delimiter): Reading[] {
  return shapesOf(trial.rows).map(({ start, width }) => gradeTable(delimiter, trial, start, width))
}

function best(readings: readonly Reading[]): Reading[] {
  const [first, ...others] = readings
  if (first === undefined) return []
  const isBetter = (a: Reading, b: Reading) => a.score > b.score * (a.trial === b.trial ? 1 : betterBy)
  return [others.reduce((taken, next) => (isBetter(next, taken) ? next : taken), first)]
}

function isApostrophe({ quote }: Dialect): boolean {
  return quote === "'"
}

function isQuotedWell({ dialect, quoted, rows }: Trial, given: ReaderOptions): boolean {
  return given.quote !== undefined || !isApostrophe(dialect) || quoted >= rows.length * apostropheShare
}

/** As one column: with the comma where that makes no difference, else with what no text has. */
function readList(sample: Buffer, span: Span, given: ReaderOptions): Reading {
  const window = sample.subarray(span.from, span.to)
  const wanted = given.delimiter === undefined ? [',', noDelimiter] : [given.delimiter]
  return wanted
    .flatMap((delimiter) => dialectsOf(window, delimiter, given))
    .map((dialect) => gradeList(readTrial(sample, dialect, span)))
    .reduce((taken, next) => (next.score > taken.score * betterBy ? next : taken))
}

/** The ways of quoting that the sample gives reason to try, the commonest first. */
export function dialectsOf(window: Buffer, delimiter: string, given: ReaderOptions): Dialect[] {
  const comment = charOf(given.comment ?? '')
  const quotes = given.quote === undefined ? quotesOf(window, delimiter) : [charOf(given.quote)]
  return quotes.flatMap((quote) =>
    escapesOf(window, quote, given).map((escape) => ({ delimiter, quote, escape, comment })),
  )
}

function quotesOf(window: Buffer, delimiter: string): (string | null)[] {
  const hasQuotes = window.includes('"')
  const hasApostrophes = window.includes(`'${delimiter}`) && window.includes(`${delimiter}'`)
  // Where some cell begins with a quote, even behind spaces, a quote may have been opened there: that must not become
  // text unseen.
  const isOpened =
    hasQuotes &&
    (window[0] === 0x22 ||
      [delimiter, '\n', '\r', '\ufeff'].some((before) =>
        ['', ' ', '  '].some((spaces) => window.includes(`${before}${spaces}"`)),
      ))
  return ['"', ...(hasApostrophes ? ["'"] : []), ...(hasQuotes && !isOpened ? [null] : [])]
}

function escapesOf(window: Buffer, quote: string | null, given: ReaderOptions): (string | null)[] {
  if (given.escape !== undefined) return [charOf(given.escape)]
  if (quote === null) return [null]
  return window.includes(`\\${quote}`) ? [quote, '\\'] : [quote]
}

function charOf(option: string): string | null {
  return option === '' ? null : option
}

/** The delimiter with the spaces between it and quotes, which strictly speaking belong to the cells: “"a", "b"”. */
function spacedOf(window: Buffer, delimiter: string): string[] {
  if (delimiter === ' ') return []
  const behind = window.includes(`${delimiter} "`)
  const before = window.includes(`" ${delimiter}`)
  return [
    ...(behind && before ? [` ${delimiter} `] : []),
    ...(behind ? [`${delimiter} `] : []),
    ...(before ? [` ${delimiter}`] : []),
  ]
}
