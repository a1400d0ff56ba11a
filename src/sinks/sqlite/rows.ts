/** Rows from tabbed text into a table of SQLite, which has no bulk reader: by INSERTs of many rows each. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Readable } from 'node:stream'
import { parseTabbed } from '../../csv/tabbed.ts'
import { AppError } from '../../errors.ts'
import { identifier, sqliteNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import { type InsertOptions, type Into, quoteText } from '../file/database.ts'
import { bindingOf } from './types.ts'
import { checkTaken, taskColumn } from '../tables.ts'

/** Values of one statement: more make it no faster. */
const valuesAtOnce = 512

/**
 * @param declared the types of the table's columns, by their names.
 * @throws {AppError} unprocessable, for a value that the table would change.
 */
export async function insertRows(
  db: DatabaseSync,
  into: Into,
  produced: Produced,
  declared: ReadonlyMap<string, string>,
  { signal, onProgress }: InsertOptions,
): Promise<number> {
  const { columns = [] } = produced
  const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / columns.length))
  const many = prepare(db, into, produced, rowsAtOnce)
  const one = prepare(db, into, produced, 1)
  const bind = binderOf(produced, declared)
  let rows = 0
  let taken = 0
  let values: SQLInputValue[] = []
  for await (const lines of linesOf(produced.open(signal))) {
    signal.throwIfAborted()
    for (const line of lines) {
      const cells = parseTabbed(line)
      // Not spread into push: a row may have thousands.
      for (const cell of bind(cells)) values.push(cell)
      rows++
      if (values.length < rowsAtOnce * columns.length) continue
      taken += Number(many.run(...values).changes)
      values = []
    }
    onProgress(rows)
  }
  for (let at = 0; at < values.length; at += columns.length)
    taken += Number(one.run(...values.slice(at, at + columns.length)).changes)
  checkTaken(taken, rows)
  return rows
}

function prepare(
  db: DatabaseSync,
  { identifier: table, task }: Into,
  { columns = [] }: Produced,
  rows: number,
): StatementSync {
  const names = columns.map(({ name }) => identifier(name, sqliteNames))
  const marks = columns.map(() => '?')
  if (task !== undefined) {
    names.push(identifier(taskColumn, sqliteNames))
    marks.push(quoteText(task))
  }
  const row = `(${marks.join(', ')})`
  return db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`)
}

type Binder = (cells: readonly (string | null)[]) => readonly SQLInputValue[]

function binderOf({ columns = [] }: Produced, declared: ReadonlyMap<string, string>): Binder {
  const bindings = columns.map(({ name, type }) => bindingOf(type, declared.get(name) ?? ''))
  if (bindings.every((binding) => binding === undefined)) return (cells) => cells
  return (cells) =>
    cells.map((cell, i) => {
      const binding = bindings[i]
      if (cell === null || binding === undefined) return cell
      const value = binding(cell)
      if (value !== undefined) return value
      const { name = '' } = columns[i] ?? {}
      throw new AppError(
        'unprocessable',
        `SQLite cannot keep “${cell}” as it is in the column “${name}”, which is declared ${declared.get(name)}. Declare it TEXT, or correct the value.`,
        { details: { column: name, value: cell } },
      )
    })
}

/** Lines without their line feeds, as many at a time as come. */
async function* linesOf(bytes: Readable): AsyncGenerator<string[]> {
  /** Of a line that is longer than what has come. */
  let begun: string[] = []
  for await (const text of bytes.setEncoding('utf8') as AsyncIterable<string>) {
    const end = text.lastIndexOf('\n')
    if (end >= 0) {
      begun.push(text.slice(0, end))
      yield begun.join('').split('\n')
      begun = []
    }
    begun.push(text.slice(end + 1))
  }
}
