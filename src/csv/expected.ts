/** What the columns that a pipeline declares say about a file's form: more than any guess. */
import type { ReaderOptions } from '../definition.ts'
import { standardDialect } from './dialect.ts'
import { Machine } from './machine.ts'
import { nextLine } from './sniff/trial.ts'
import { marksAt, unmarked } from './text/marks.ts'

const delimiters = [',', ';', '\t', '|']
/** Lines that may stand before the header. */
const mostPreamble = 50

/**
 * The first line under which the expected names stand, all of them, by one of the common delimiters; undefined when there
 * is none, or when the form is given.
 */
export function expectedForm(
  sample: Buffer,
  names: readonly string[],
  given: ReaderOptions,
): ReaderOptions | undefined {
  if (names.length === 0 || given.header === false) return undefined
  const machines = (given.delimiter === undefined ? delimiters : [given.delimiter]).map((delimiter) => {
    return { delimiter, machine: new Machine({ ...standardDialect, delimiter }) }
  })
  let at = 0
  for (let line = 0; line <= (given.skipLines ?? mostPreamble) && at < sample.length; line++) {
    for (const { delimiter, machine } of line < (given.skipLines ?? 0) ? [] : machines) {
      const start = at + marksAt(sample, at)
      if (machine.next(sample, start, sample.length, true) !== 'record' || machine.count < names.length) continue
      const cells = new Set(machine.cells(sample).map((cell, i) => (i === 0 ? unmarked(cell) : cell)))
      if (names.every((name) => cells.has(name)))
        return { quote: '"', escape: '"', ...given, delimiter, header: true, skipLines: line }
    }
    at = nextLine(sample, at, sample.length)
  }
  return undefined
}
