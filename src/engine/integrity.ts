/** The keys of all inputs, checked over every record: those that are told apart, and those that refer to others. */
import { excerpt } from '../csv/excerpt.ts'
import type { Pipeline } from '../definition.ts'
import { cellsOf, cellsSql, faultySource } from './check.ts'
import type { Database } from './duckdb.ts'
import {
  brokenSql,
  createKeyFaults,
  dropKeys,
  fileOf,
  keptSql,
  type KeyRule,
  keyRules,
  noteSql,
  takeKeysSql,
} from './keys.ts'
import type { Rejects } from './rejects.ts'
import { type InputFile, scanSql, soundSql } from './relation.ts'
import { createInputViews } from './relations.ts'

/** A file whose cells are checked: how many of its records are not sound by themselves, and how many keys reject. */
export interface CheckedFile extends InputFile {
  readonly faulty: number
  readonly brokenKeys: number
}

interface Work {
  readonly database: Database
  readonly rejects: Rejects
  readonly pipeline: Pick<Pipeline, 'inputs'>
  /** Reads a file anew into a flat copy, which knows where each record is. */
  readonly again: (file: InputFile) => Promise<InputFile>
  /** Runs a long statement over these files. */
  readonly over: <T>(files: readonly InputFile[], call: () => Promise<T>) => Promise<T>
}

/** Whether an input has to be checked over all its records. */
export function hasKeys(input: string, { inputs }: Pick<Pipeline, 'inputs'>): boolean {
  return keyRules(input, inputs[input] ?? {}).length > 0
}

/** The records of a file that are accepted; undefined for all. */
export function acceptedSql(file: CheckedFile): string | undefined {
  const sound = file.faulty === 0 ? undefined : soundSql(file)
  const conditions = [...(sound === undefined ? [] : [sound]), ...(file.brokenKeys === 0 ? [] : [keptSql(file)])]
  return conditions.length === 0 ? undefined : conditions.join(' AND ')
}

/**
 * Checks the keys of every input, those that others refer to first, so that a record which refers to a rejected one is
 * rejected as well. Each broken key of each record is told.
 */
export async function checkKeys(work: Work, files: readonly CheckedFile[]): Promise<CheckedFile[]> {
  if (!files.some(({ input }) => hasKeys(input, work.pipeline))) return [...files]
  await work.database.run(createKeyFaults)
  let checked = [...files]
  for (const input of inOrder(work.pipeline)) {
    const own = checked.filter((file) => file.input === input)
    const done = new Map((await checkInput(work, input, own)).map((file) => [file.file, file]))
    checked = checked.map((file) => done.get(file.file) ?? file)
  }
  return checked
}

/** Referred inputs before those that refer to them. The pipeline has no circle. */
function inOrder({ inputs }: Pick<Pipeline, 'inputs'>): string[] {
  const ordered = new Set<string>()
  const visit = (input: string) => {
    for (const { reference } of inputs[input]?.schema?.foreignKeys ?? []) {
      if (reference.resource !== input && !ordered.has(reference.resource)) visit(reference.resource)
    }
    ordered.add(input)
  }
  for (const input of Object.keys(inputs)) visit(input)
  return [...ordered]
}

async function checkInput(work: Work, input: string, files: readonly CheckedFile[]): Promise<CheckedFile[]> {
  const { database, pipeline, over } = work
  const rules = keyRules(input, pipeline.inputs[input] ?? {})
  let own = [...files]
  let broken = false
  for (const [i, rule] of rules.entries()) {
    // A key to the input itself looks for records that all other keys have left.
    if (rule.reference?.resource === input) await createInputViews(database, own, acceptedSql)
    await takeKeys(work, rule, own, false)
    if ((await over(own, () => database.rows(brokenSql(rule)))).length === 0) continue
    broken = true
    own = await flattened(work, own)
    await takeKeys(work, rule, own, true)
    await over(own, () => database.run(noteSql(rule, i)))
    own = await counted(database, own)
  }
  for (const sql of dropKeys) await database.run(sql)
  if (broken) await tellKeyFaults(work, rules, own)
  await createInputViews(database, own, acceptedSql)
  return own
}

async function takeKeys(
  { database, over }: Work,
  rule: KeyRule,
  files: readonly CheckedFile[],
  placed: boolean,
): Promise<void> {
  for (const sql of takeKeysSql(rule, files, placed)) await over(files, () => database.run(sql))
}

async function flattened({ again }: Work, files: readonly CheckedFile[]): Promise<CheckedFile[]> {
  const flat: CheckedFile[] = []
  for (const file of files) flat.push(file.reading.layout === 'placed' ? file : { ...file, ...(await again(file)) })
  return flat
}

async function counted(database: Database, files: readonly CheckedFile[]): Promise<CheckedFile[]> {
  const rows = await database.rows(
    'SELECT at_file, count(*) FROM (SELECT DISTINCT at_file, at_record FROM "key faults") GROUP BY at_file',
  )
  const counts = new Map(rows.map(([file, count]) => [Number(file), Number(count)]))
  return files.map((file) => ({ ...file, brokenKeys: counts.get(file.file) ?? 0 }))
}

async function tellKeyFaults(
  { database, rejects }: Work,
  rules: readonly KeyRule[],
  files: readonly CheckedFile[],
): Promise<void> {
  for (const source of files.filter(({ brokenKeys }) => brokenKeys > 0)) {
    const rows = database.stream(
      `SELECT line, byte_offset, byte_length, record, rule, first_place, first_line, ${cellsSql(source.reading)}
       FROM ${scanSql(source)} JOIN "key faults" ON at_record = record
       WHERE at_file = ${source.file} ORDER BY record, rule`,
    )
    const faulty = faultySource(source)
    for await (const [line, byteOffset, byteLength, record, index, firstPlace, firstLine, texts] of rows) {
      const rule = rules[Number(index)]
      if (rule === undefined) throw new RangeError(`there is no key ${String(index)}`)
      const values = cellsOf(texts)
      const first = typeof firstPlace === 'bigint' ? files.find(({ file }) => file === fileOf(firstPlace)) : undefined
      await rejects.add(faulty, {
        line: Number(line),
        byteOffset: Number(byteOffset),
        byteLength: Number(byteLength),
        record: Number(record),
        column: rule.fields.length === 1 ? (rule.fields[0] ?? null) : null,
        code: rule.code,
        message: messageOf(rule, keyOf(rule, source, values), `line ${Number(firstLine)} of ${first?.name ?? ''}`),
        cells: values,
      })
    }
  }
}

/** The key as it stands in a record. */
function keyOf({ fields }: KeyRule, { columns }: InputFile, values: readonly (string | null)[]): string {
  const positions = fields.map((name) => columns.find(({ field }) => field.name === name)?.position ?? -1)
  return positions.map((position) => excerpt(values[position] ?? '')).join(', ')
}

function messageOf({ fields, reference }: KeyRule, key: string, first: string): string {
  if (reference !== undefined) {
    return `no accepted record of ${reference.resource} has ${key} as its ${reference.fields.join(', ')}`
  }
  return fields.length === 1
    ? `${key} is there already, on ${first}`
    : `${key} (${fields.join(', ')}) are there already, on ${first}`
}
