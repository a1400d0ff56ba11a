/**
 * Keys, as SQL: which records have one that was there before, and which refer to one that is not there. All of it is
 * GROUP BY and joins, which DuckDB spills to disk; nothing is kept here.
 */
import { quoteName } from '../identifiers.ts'
import type { InputSpec } from '../definition.ts'
import { columnSql, type Source, soundSql, valuesSql } from './relation.ts'

/** A key of an input that is to be checked over all its records. */
export interface KeyRule {
  readonly code: 'primary-key' | 'unique-error' | 'foreign-key'
  readonly fields: readonly string[]
  /** Where the values must be found, of a foreign key. */
  readonly reference?: { readonly resource: string; readonly fields: readonly string[] }
}

/** A file whose cells are known: how many of its records are not sound by themselves. */
export interface CheckedSource extends Source {
  readonly faulty: number
}

/** The keys of an input in the order of their checks: its own, those to other inputs, those to itself. */
export function keyRules(input: string, { schema }: InputSpec): KeyRule[] {
  if (schema === undefined) return []
  const { primaryKey, uniqueKeys, foreignKeys } = schema
  const own = [
    ...(primaryKey.length === 0 ? [] : [{ code: 'primary-key', fields: primaryKey } as const]),
    ...uniqueKeys.map((fields) => ({ code: 'unique-error', fields }) as const),
  ]
  const sets = own.map(({ fields }) => JSON.stringify(fields.toSorted()))
  const foreign = foreignKeys.map((key) => ({ ...key, code: 'foreign-key' }) as const)
  const isOwn = ({ reference }: (typeof foreign)[number]) => reference.resource === input
  return [
    // The same columns twice are one key, and one fault.
    ...own.filter((_, i) => sets.indexOf(sets[i] ?? '') === i),
    ...foreign.filter((key) => !isOwn(key)),
    ...foreign.filter(isOwn),
  ]
}

/** The records found at fault, by file and number; `rule` is its place among the rules of the input. */
export const createKeyFaults =
  'CREATE TABLE "key faults" (at_file INTEGER, at_record BIGINT, rule INTEGER, first_place BIGINT, first_line BIGINT)'

/** True for a record of a flat copy that no key has found at fault. */
export function keptSql({ file }: Source): string {
  return `NOT EXISTS (SELECT 1 FROM "key faults" WHERE at_file = ${file} AND at_record = record)`
}

/** Orders the records of all files of a run: there are fewer than 2^20 files, of fewer than 2^43 records. */
const recordsPerFile = 2 ** 43

/** The file in which a place is. */
export function fileOf(place: number | bigint): number {
  return Number(BigInt(place) / BigInt(recordsPerFile))
}

/**
 * Puts the keys into a table, with their places where `placed`; then the files must be flat copies, which know them. A
 * table, because the scan of a file holds memory that a GROUP BY beside it needs.
 */
export function takeKeysSql(rule: KeyRule, sources: readonly CheckedSource[], placed: boolean): string[] {
  const take = `CREATE OR REPLACE TABLE "taken keys" AS FROM ${keyedSql(rule, sources, placed)}`
  if (rule.reference === undefined) return [take]
  const { resource, fields } = rule.reference
  const parents = fields.map((name, i) => `${quoteName(name)} AS k${i}`).join(', ')
  return [take, `CREATE OR REPLACE TABLE "parent keys" AS SELECT ${parents} FROM ${quoteName(resource)}`]
}

/** Some row when a key is broken, of those that were taken. */
export function brokenSql(rule: KeyRule): string {
  const keys = names(rule).join(', ')
  if (rule.reference !== undefined) return `SELECT 1 FROM "taken keys" ANTI JOIN "parent keys" USING (${keys}) LIMIT 1`
  return `SELECT 1 FROM "taken keys" GROUP BY ${keys} HAVING count(*) > 1 LIMIT 1`
}

/** Notes every record at which a key is broken, of those that were taken with their places. */
export function noteSql(rule: KeyRule, index: number): string {
  const insert = 'INSERT INTO "key faults"'
  const keys = names(rule).join(', ')
  if (rule.reference !== undefined) {
    return `${insert} SELECT file, record, ${index}, NULL, NULL FROM "taken keys" ANTI JOIN "parent keys" USING (${keys})`
  }
  const place = `file::BIGINT * ${recordsPerFile} + record`
  const firsts = `SELECT ${keys}, min(${place}) AS first_place, arg_min(line, ${place}) AS first_line
    FROM "taken keys" GROUP BY ${keys} HAVING count(*) > 1`
  return `${insert} SELECT file, record, ${index}, first_place, first_line
    FROM "taken keys" JOIN (${firsts}) AS firsts USING (${keys}) WHERE ${place} <> first_place`
}

export const dropKeys = ['DROP TABLE IF EXISTS "taken keys"', 'DROP TABLE IF EXISTS "parent keys"']

function names({ fields }: KeyRule): string[] {
  return fields.map((_, i) => `k${i}`)
}

/** The keys of the records that are sound by themselves, without those in which a value is missing. */
function keyedSql(rule: KeyRule, sources: readonly CheckedSource[], placed: boolean): string {
  const selects = sources.map((source) => {
    const keys = rule.fields.map((name, i) => {
      const column = source.columns.find(({ field }) => field.name === name)
      if (column === undefined) throw new RangeError(`there is no column ${name}`)
      return `${columnSql(column)} AS k${i}`
    })
    const place = placed ? [`${source.file} AS file`, 'record', 'line'] : []
    const where = source.faulty === 0 ? '' : ` WHERE ${soundSql(source) ?? 'true'}`
    return `SELECT ${[...place, ...keys].join(', ')} FROM ${valuesSql(source)}${where}`
  })
  const present = names(rule).map((key) => `${key} IS NOT NULL`)
  return `(SELECT * FROM (${selects.join(' UNION ALL ')}) WHERE ${present.join(' AND ')})`
}
