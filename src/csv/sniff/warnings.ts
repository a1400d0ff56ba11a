/** What is to be said of guesses that might have come out otherwise. */
import type { Warning } from '../../model.ts'
import type { ReaderOptions } from '../../definition.ts'
import type { Sniffed } from '../sniff.ts'
import { fancyQuoteWarnings, spaceWarnings } from './cell-edges.ts'
import { nameOf } from './delimiters.ts'
import { oneColumnWarnings, quotedLineWarnings } from './one-column.ts'
import type { Reading } from './grade.ts'
import { strangeRows } from './strange-rows.ts'

/** A dialect that is less sure than this gets a word, */
const sureDialect = 0.5
/** and so does one beside which another is as likely as this, compared with it. */
const likely = 0.6
const sureHeader = 0.75

type Guesses = Omit<Sniffed, 'warnings' | 'content'>

export interface Looked {
  readonly reading: Reading
  /** The index of the header's row, or of the first record's. */
  readonly first: number
  readonly whole: boolean
}

export function warningsOf(guesses: Guesses, given: ReaderOptions, { reading, first, whole }: Looked): Warning[] {
  const isList = guesses.columns === 1
  return [
    ...(isList
      ? oneColumnWarnings({ reading, alternatives: guesses.alternatives, whole })
      : [...delimiterWarnings(guesses), ...quotedLineWarnings(reading)]),
    ...(isList || given.delimiter !== undefined ? [] : spaceWarnings(reading)),
    ...quoteWarnings(guesses, given),
    ...(given.quote === undefined ? fancyQuoteWarnings(reading) : []),
    ...(guesses.preamble.how === 'guess' ? preambleWarnings(guesses) : []),
    ...headerWarnings(guesses),
    ...strangeRows(reading, first, guesses.header.present),
  ]
}

function delimiterWarnings({ dialect, how, confidence, evidence, alternatives, columns }: Guesses): Warning[] {
  const [other] = alternatives
  const rival = other !== undefined && other.likelihood >= likely ? other : undefined
  if (how.delimiter !== 'guess' || (rival === undefined && confidence >= sureDialect)) return []
  const doubt =
    rival === undefined
      ? `though little speaks for it (${evidence})`
      : `though ${rival.columns === 1 ? 'one column' : `${nameOf(rival.dialect.delimiter)} (${rival.columns} columns)`} would do as well`
  return [
    {
      code: 'dialect-guess',
      message: `read with ${nameOf(dialect.delimiter)} as the delimiter (${columns} columns), ${doubt}: name the right one with --delimiter`,
    },
  ]
}

function quoteWarnings({ dialect: { quote, escape }, how }: Guesses, given: ReaderOptions): Warning[] {
  const warnings: Warning[] = []
  if (how.quote === 'guess' && quote !== '"') {
    const reading = quote === null ? 'quotes are read as text like any other' : `the quote is taken to be “${quote}”`
    warnings.push({ code: 'quote-guess', message: `${reading}: if that is wrong, name the quote with --quote` })
  }
  if (quote !== null && escape !== quote && given.escape === undefined) {
    const message = `“${escape}” is taken to make a quote within quotes text: if that is wrong, name what does with --escape`
    warnings.push({ code: 'quote-guess', message })
  }
  return warnings
}

/** Of lines that were skipped without being asked for. */
function preambleWarnings({ preamble: { lines }, header }: Guesses): Warning[] {
  const taken = lines === 1 ? 'line 1 is' : `lines 1 to ${lines} are`
  const what = header.present ? 'header' : 'first record'
  return [
    {
      code: 'preamble',
      message: `${taken} skipped as a preamble, so that line ${header.line} is the ${what}: if that is wrong, say how many lines to skip with --skip-lines`,
    },
  ]
}

function headerWarnings({ header, columns }: Guesses): Warning[] {
  const { present, how, confidence, evidence, line, cells } = header
  const warnings: Warning[] = []
  if (how !== 'given' && !present) {
    const message = `line ${line} is read as a record, and the columns have no names (${evidence}): if it is the header, say so with --header`
    warnings.push({ code: 'no-header', message })
  }
  if (how !== 'given' && present && confidence < sureHeader) {
    const message = `line ${line} is read as the header, though it may be a record (${evidence}): if it is, say so with --no-header`
    warnings.push({ code: 'header-guess', message })
  }
  if (cells !== undefined && cells.length !== columns) {
    const message = `the header on line ${line} has ${cells.length} cells, and most records have ${columns}: if the header is elsewhere, say how many lines to skip with --skip-lines`
    warnings.push({ code: 'header-width', message })
  }
  return warnings
}
