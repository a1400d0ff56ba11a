/** Tables that rows go to: what they make of the columns of a file, and of those of an output. */
import { countOf } from '../csv/evidence.ts'
import { filledShapes, type Shape } from '../csv/shapes.ts'
import { AppError } from '../errors.ts'
import { isOwn } from '../identifiers.ts'
import type { Warning } from '../model.ts'
import { isForTable, type OutputSpec, type Pipeline } from '../definition.ts'
import { type ColumnType, plainSchema } from '../table-schema.ts'
import type { JobTarget, ProducedColumn } from '../job.ts'
import { type Column, undeclaredField } from './columns.ts'
import type { Database } from './duckdb.ts'
import { cellSql, checksIn, type Doubt, type InputFile, valuesSql } from './relation.ts'

/** The input of which an output is all columns of all accepted rows; undefined for any other SQL. */
export function inputOf({ sql }: OutputSpec): string | undefined {
  const [, name] = /^\s*(?:SELECT\s+\*\s+)?FROM\s+("?[a-z][a-z0-9_]*"?)\s*;?\s*$/i.exec(sql) ?? []
  return name?.replaceAll('"', '').toLowerCase()
}

/**
 * The files with their contracts as the tables have them that their rows go to as they are. Where an input declares no
 * columns, those of the table are its schema; what the table asks of its values it asks in any case; and the key of an
 * upsert is the input's primary key.
 */
export function underTargets(
  pipeline: Pipeline,
  targets: Readonly<Record<string, JobTarget>>,
  files: readonly InputFile[],
): { pipeline: Pipeline; files: InputFile[] } {
  let inputs = pipeline.inputs
  let shaped = [...files]
  for (const [output, target] of Object.entries(targets)) {
    const spec = pipeline.outputs[output]
    const input = spec === undefined || !isForTable(spec) ? undefined : inputOf(spec)
    const declared = input === undefined ? undefined : inputs[input]
    if (input === undefined || declared === undefined) continue
    const isDeclared = declared.schema !== undefined
    shaped = shaped.map((file) => (file.input === input ? shape(file, target, isDeclared) : file))
    const [first] = shaped.filter((file) => file.input === input)
    const { key } = target.target
    if (first === undefined || key.length === 0) continue
    const fields = first.columns.map(({ field }) => field)
    const schema = { ...(declared.schema ?? plainSchema(fields)), primaryKey: keyOf(key, fields) }
    inputs = { ...inputs, [input]: { ...declared, schema } }
    shaped = shaped.map((file) => (file.input === input ? withKey(file, schema.primaryKey) : file))
  }
  return { pipeline: { ...pipeline, inputs }, files: shaped }
}

function shape(file: InputFile, { target, columns }: JobTarget, isDeclared: boolean): InputFile {
  if (columns === undefined) return file
  const doubts: Doubt[] = []
  const shaped = file.columns.map((column): Column => {
    const there = findColumn(columns, column.field.name)
    if (there === undefined || there.field === null) return column
    const { field } = there
    if (isDeclared) {
      // What is asked of numbers means nothing for a text, nor the other way round.
      const { required } = field.constraints
      const asked = field.type === column.field.type ? field.constraints : required === true ? { required } : {}
      const constraints = { ...asked, ...column.field.constraints }
      return { ...column, field: { ...column.field, constraints } }
    }
    const plain = undeclaredField(column.field.name, field.type)
    // No empty text is of any format.
    const keepsEmpty = plain.keepsEmpty === true && field.format === undefined
    const typed = { ...column, field: { ...plain, ...field, keepsEmpty } }
    // What was rejected before may be wrong again, and all of it.
    if (file.correction === undefined && isDoubtful(file, typed)) doubts.push({ column: typed, table: target.table })
    return typed
  })
  return { ...file, columns: shaped, doubts }
}

function withKey(file: InputFile, key: readonly string[]): InputFile {
  return { ...file, columns: file.columns.map((column) => ({ ...column, inKey: key.includes(column.field.name) })) }
}

/** @throws {AppError} unprocessable, when the file has no such column. */
function keyOf(key: readonly string[], columns: readonly { readonly name: string }[]): string[] {
  return key.map((name) => {
    const found = findColumn(columns, name)
    if (found !== undefined) return found.name
    const list = columns.map((column) => `“${column.name}”`).join(', ')
    throw new AppError('unprocessable', `The key names a column “${name}”, which is not there. There are: ${list}.`)
  })
}

/** By its own name; else by one that differs only in case, if there is just one. */
export function findColumn<T extends { readonly name: string }>(columns: readonly T[], name: string): T | undefined {
  const same = columns.find((column) => column.name === name)
  if (same !== undefined) return same
  const [alike, ...others] = columns.filter((column) => column.name.toLowerCase() === name.toLowerCase())
  return others.length === 0 ? alike : undefined
}

/** What a cell of a type looks like, as a rule. */
const looks: Readonly<Record<string, readonly Shape[]>> = {
  integer: ['integer', 'leading-zero', 'long-integer'],
  number: ['integer', 'decimal', 'leading-zero', 'long-integer', 'exponent'],
  decimal: ['integer', 'decimal', 'leading-zero', 'long-integer'],
  boolean: ['boolean', 'integer'],
  date: ['date'],
  time: ['time'],
  datetime: ['datetime', 'local-datetime'],
}

function isDoubtful({ reading }: InputFile, { field, position }: Column): boolean {
  const evidence = position === null ? undefined : reading.evidence[position]
  const takes = looks[field.type.replace(/[(].*/, '')]
  if (evidence === undefined || takes === undefined || countOf(evidence, filledShapes) === 0) return false
  return countOf(evidence, takes) === 0
}

/**
 * A column of which no value at all is of the table's type is another column, not one full of rejects.
 * @throws {AppError} rejected
 */
export async function refuseOthers(database: Database, file: InputFile): Promise<void> {
  const { doubts = [], name, reading } = file
  if (doubts.length === 0) return
  const checks = checksIn(file)
  const counts = doubts.map(({ column }) => {
    const type = checks.find((check) => check.position === column.position && check.key === 'type')
    const filled = column.position === null ? 'false' : `${cellSql(reading, column.position)} <> ''`
    return `count(*) FILTER (WHERE ${filled} AND NOT (${type?.fault ?? 'false'}))`
  })
  const [row = []] = await database.rows(`SELECT ${counts.join(', ')} FROM ${valuesSql(file)}`)
  const others = doubts.filter((_, i) => Number(row[i]) === 0)
  const [first] = others
  if (first === undefined) return
  throw drifted(
    first.table,
    others.map(({ column: { field } }) => {
      const message = `column “${field.name}” of ${name} holds no ${field.type} at all`
      return { column: field.name, is: 'different', message }
    }),
  )
}

interface Drift {
  readonly column: string
  readonly is: 'missing' | 'extra' | 'different'
  readonly message: string
}

function drifted(table: string, drift: readonly Drift[]): AppError {
  const shown = drift.slice(0, 10).map(({ message }) => message)
  const what = shown.join('; ') + (drift.length > shown.length ? `; … (${drift.length})` : '')
  return new AppError(
    'rejected',
    `The columns are not those of the table ${table}: ${what}. Nothing was loaded. Correct the file or the table, or see the param drift.`,
    { details: { table, drift: drift.map(({ column, is }) => ({ column, is })) } },
  )
}

/** Whether every value of a type can be held by a column of another. */
function holds(there: ColumnType, type: ColumnType): boolean {
  if (there === type || there === 'string') return true
  const isDecimal = type.startsWith('decimal')
  if (there === 'number') return type === 'integer' || isDecimal
  // Too many digits before the point are told by the database; behind it, they would be rounded in silence.
  if (there.startsWith('decimal')) return type === 'integer' || (isDecimal && scaleOf(type) <= scaleOf(there))
  return there === 'datetime' && type === 'date'
}

function scaleOf(decimal: string): number {
  return Number(/,(\d+)/.exec(decimal)?.[1] ?? 0)
}

/** A column of an output that goes to its table, and what the output calls it. */
export interface PlacedColumn extends ProducedColumn {
  readonly from: string
}

/**
 * The columns of an output that go to its table, in the output's order.
 * @throws {AppError} rejected, where output and table do not go together under the policy for drift.
 */
export function placeColumns(
  { target, columns }: JobTarget,
  produced: readonly { readonly name: string; readonly type: ColumnType }[],
): { columns: PlacedColumn[]; warnings: Warning[] } {
  const own = produced.find(({ name }) => isOwn(name))
  if (own !== undefined) {
    throw new AppError('unprocessable', `The column “${own.name}” has a name of Rowmill’s own. Give it another one.`)
  }
  if (columns === undefined) {
    keyOf(target.key, produced)
    return { columns: produced.map((one) => ({ ...one, isThere: false, from: one.name })), warnings: [] }
  }
  const { drift: policy, table } = target
  const drift: Drift[] = []
  const warnings: Warning[] = []
  const placed: PlacedColumn[] = []
  for (const { name, type } of produced) {
    const there = findColumn(columns, name)
    if (there !== undefined && !there.isComputed) {
      placed.push({ name: there.name, type, isThere: true, from: name })
      if (there.field === null || holds(there.field.type, type)) continue
      const message = `column “${name}” is ${type}, and ${there.field.type} in the table`
      drift.push({ column: name, is: 'different', message })
    } else if (policy === 'add-columns' && there === undefined) {
      placed.push({ name, type, isThere: false, from: name })
    } else {
      const message = `column “${name}” ${there === undefined ? 'is not in the table' : 'takes no values as they are'}`
      if (policy === 'fail') drift.push({ column: name, is: 'extra', message })
      else warnings.push({ code: 'extra-label', message: `${message} ${table}, and is left out` })
    }
  }
  const given = new Set(placed.map(({ name }) => name))
  for (const { name, absent, isComputed } of columns) {
    if (isComputed || absent === 'filled' || given.has(name)) continue
    if (absent === 'refused' || policy === 'fail') {
      const message = `column “${name}” is missing${absent === 'refused' ? ', and each row needs it' : ''}`
      drift.push({ column: name, is: 'missing', message })
    } else {
      warnings.push({
        code: 'missing-label',
        message: `column “${name}” of the table ${table} is missing, and stays NULL`,
      })
    }
  }
  if (!placed.some(({ isThere }) => isThere))
    drift.push({ column: '', is: 'extra', message: 'not one is in the table' })
  if (drift.length > 0) throw drifted(table, drift)
  keyOf(target.key, placed)
  return { columns: placed, warnings }
}
