/**
 * Rows that need no database on their way to one: when a table takes the records of an input as they are, and the reader
 * has seen of every cell that it is what its column takes, the reader writes the rows itself. They are not written here,
 * but while they are sent, by a process of its own (`work/rows.ts`), from what this leaves behind.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Passage } from '../csv/passage.ts'
import { columnFlags } from '../csv/kernel/kernel.ts'
import type { Warning } from '../model.ts'
import { isForTable } from '../definition.ts'
import type { Job, ProducedColumn, ProducedFile } from '../job.ts'
import type { ColumnType } from '../table-schema.ts'
import { hasKeys } from './integrity.ts'
import { isProven } from './native.ts'
import { type InputFile, soundSql } from './relation.ts'
import { inputOf, type PlacedColumn, placeColumns } from './target.ts'

/** What the file of such an output says. */
export interface Passages {
  readonly passages: readonly Passage[]
  /** What the rows have, and the table will have. */
  readonly columns: readonly ProducedColumn[]
  /** Where to leave what was found out about the only file, which nobody has looked at as a whole. */
  readonly scan?: string | undefined
}

/** Whether the job is one of this kind, by all that is known before its files are read. */
export function mayPass({ pipeline, targets }: Job): boolean {
  const [output, ...others] = Object.entries(pipeline.outputs)
  if (output === undefined || others.length > 0) return false
  const [name, spec] = output
  const [input, ...more] = Object.keys(pipeline.inputs)
  if (!isForTable(spec) || input === undefined || more.length > 0) return false
  const target = targets[name]
  if (target?.rows !== 'tabbed' || target.target.key.length > 0) return false
  return inputOf(spec) === input && !hasKeys(input, pipeline)
}

/**
 * Undefined, when the rows must go through DuckDB.
 * @param rows how many were accepted.
 */
export async function pass(
  job: Job,
  files: readonly InputFile[],
  rows: number,
  folder: string,
  path: string,
  scan?: string,
): Promise<{ output: ProducedFile; warnings: readonly Warning[] } | undefined> {
  const [name = ''] = Object.keys(job.pipeline.outputs)
  const target = job.targets[name]
  const [first] = files
  if (!mayPass(job) || target === undefined || first === undefined) return undefined
  // Columns in another order, or only in some of the files, are for DuckDB to bring together.
  const columns = first.columns.map(({ field }) => ({ name: field.name, type: field.type }))
  if (!files.every((file) => isPassable(file) && file.columns.every((one, i) => isSame(one, first.columns[i])))) {
    return undefined
  }
  const { columns: placed, warnings } = placeColumns(target, columns)
  const passages = files.map((file) => passageOf(file, placed))
  const produced = placed.map(({ name: own, type, isThere }) => {
    return { name: own, type: isThere ? type : wide(type), isThere }
  })
  await writeFile(join(folder, path), JSON.stringify({ passages, columns: produced, scan } satisfies Passages))
  return { output: { name, format: 'records', file: path, rows, columns: produced }, warnings }
}

/** Decimals that a table has the same column for, whatever their digits: what the file goes on with may have more. */
function wide(type: ColumnType): ColumnType {
  const [, precision, scale] = /^decimal[(](\d+),(\d+)[)]$/.exec(type) ?? []
  return Number(precision) <= 15 ? `decimal(15,${Number(scale)})` : type
}

function isPassable(file: InputFile): boolean {
  const { columns, reading } = file
  return columns.every((column) => isProven(reading, column)) && soundSql(file) === undefined
}

function isSame(one: InputFile['columns'][number], other: InputFile['columns'][number] | undefined): boolean {
  return one.position === other?.position && one.field.name === other.field.name && one.field.type === other.field.type
}

function passageOf({ reading: { file }, columns }: InputFile, placed: readonly PlacedColumn[]): Passage {
  const flags = file.header.map((_, position) => {
    const column = columns.find((one) => one.position === position)
    if (column === undefined || !placed.some(({ from }) => from === column.field.name)) return columnFlags.leaveOut
    return column.field.keepsEmpty === true ? columnFlags.keepEmpty : 0
  })
  const { path, dialect, header, start, line } = file
  return { path, dialect, names: header, start, line, flags }
}
