/** What may be behind a file that is read as one column. */
import type { Warning } from '../../model.ts'
import { type Dialect, standardDialect } from '../dialect.ts'
import { excerpt } from '../excerpt.ts'
import { Machine } from '../machine.ts'
import type { Alternative } from './choose.ts'
import { nameOf } from './delimiters.ts'
import type { Reading } from './grade.ts'
import { spread } from './quality.ts'
import { cellsOf } from './trial.ts'

const lookedRows = 60
/** The share of the lines that tells what all of them are meant to be. */
const most = 0.8
/** Fewer lines have gaps below one another by chance. */
const fewLines = 3
const delimiters = [',', ';', '\t', '|']
/** Of full width, as East Asian keyboards write them, and the strokes that tables are drawn with. */
const otherDelimiters = ['，', '；', '｜', '│']

export interface OneColumn {
  readonly reading: Reading
  readonly alternatives: readonly Alternative[]
  /** Whether the sample is the whole file. */
  readonly whole: boolean
}

export function oneColumnWarnings({ reading, alternatives, whole }: OneColumn): Warning[] {
  const { trial, start } = reading
  const rows = trial.rows.slice(start).filter(({ sound }) => sound)
  const looked = spread(rows, lookedRows)
  const texts = looked.map((row) => cellsOf(trial, row, 1)[0]?.text ?? '')
  const quoted = looked.filter((row) => row.quoted > 0).length
  const reason =
    tableOf(alternatives) ??
    (quoted * 2 >= looked.length ? quotedLines(texts) : undefined) ??
    jsonLines(texts) ??
    otherDelimiter(texts) ??
    fixedWidths(texts) ??
    (whole && rows.length === 1 ? loneMessage(texts[0]) : undefined)
  return reason === undefined ? [] : [{ code: 'one-column', message: reason }]
}

/** Of records that have nothing behind their first cell, that may be whole lines in quotes. */
export function quotedLineWarnings({ trial, start, width }: Reading): Warning[] {
  const rows = trial.rows.slice(start).filter((row) => row.sound && row.width === width)
  const looked = spread(rows, lookedRows)
  if (looked.length === 0 || looked.some(({ filled, quoted }) => filled !== 1 || quoted !== 1)) return []
  const message = quotedLines(looked.map((row) => cellsOf(trial, row, 1)[0]?.text ?? ''))
  return message === undefined ? [] : [{ code: 'one-column', message }]
}

function tableOf(alternatives: readonly Alternative[]): string | undefined {
  const table = alternatives.find(({ columns }) => columns > 1)
  if (table === undefined) return undefined
  const delimiter = nameOf(table.dialect.delimiter)
  return `read as one column; with ${delimiter} as the delimiter it would have ${table.columns}: if that is right, say so with --delimiter`
}

/** Whole lines put into quotes, as a spreadsheet does that has read a file as one column and writes it again. */
function quotedLines(texts: readonly string[]): string | undefined {
  for (const delimiter of delimiters) {
    const records = texts.map((text) => cellsIn(text, { ...standardDialect, delimiter }))
    const [first] = records
    const width = first?.length ?? 0
    if (width < 2 || records.filter(({ length }) => length === width).length < texts.length * most) continue
    // Behind the commas of sentences and names stand spaces.
    const others = records.flatMap((cells) => cells.slice(1))
    if (others.filter((cell) => cell.startsWith(' ')).length * 2 >= others.length) continue
    return `every line is one value in quotes, which itself has ${width} cells parted by ${nameOf(delimiter)}: if they are meant as columns, take away the quotes around the lines`
  }
  return undefined
}

function cellsIn(text: string, dialect: Dialect): string[] {
  const bytes = Buffer.from(text)
  const machine = new Machine(dialect)
  return machine.next(bytes, 0, bytes.length, true) === 'record' ? machine.cells(bytes) : []
}

function jsonLines(texts: readonly string[]): string | undefined {
  const objects = texts.filter((text) => /^\s*\{\s*".*\}\s*$/s.test(text))
  if (texts.length === 0 || objects.length < texts.length * most) return undefined
  return 'every line is a JSON object, and is read as one value: make CSV of it if its members are meant as columns'
}

/** One that nobody is expected to mean, or with which quotes would stand where they may not, as often in every line. */
function otherDelimiter(texts: readonly string[]): string | undefined {
  const counts = (delimiter: string) => texts.map((text) => text.split(delimiter).length - 1)
  const found = [...delimiters, ...otherDelimiters].find((delimiter) => {
    const [first = 0, ...others] = counts(delimiter)
    return first > 0 && others.length > 0 && others.every((count) => count === first)
  })
  if (found === undefined) return undefined
  return `read as one column, though every line has the same number of ${nameOf(found)}: if that is the delimiter, say so with --delimiter`
}

/** Gaps that all lines have at the same place. */
function fixedWidths(texts: readonly string[]): string | undefined {
  if (texts.length < fewLines || texts.filter((text) => /\S {2,}\S/.test(text)).length < texts.length * most)
    return undefined
  const longest = Math.max(...texts.map(({ length }) => length))
  const isGap = (at: number) => texts.every((text) => text.charAt(at).trim() === '')
  const isWithin = (at: number) => texts.filter((text) => text.slice(0, at).trim() !== '' && text.length > at).length
  const hasGap = Array.from({ length: longest }, (_, at) => at).some(
    (at) => isGap(at) && isWithin(at) * 2 > texts.length,
  )
  if (!hasGap) return undefined
  return 'read as one column, though its lines have gaps below one another, like a table of fixed widths, which cannot be parted: save it with delimiters'
}

function loneMessage(text: string | undefined): string | undefined {
  if (text === undefined || !/\S\s+\S/.test(text)) return undefined
  return `the whole file is one line of text (${excerpt(text)}): perhaps a message that came instead of the table`
}
