/** What is asked of a column's cells, one question after another: its type first, then what its values must be. */
import type { RejectCode } from '../codes.ts'
import { type Field, plainField, type Scalar } from '../table-schema.ts'
import { quoteText } from './duckdb.ts'
import { readingOf, soundSql } from './types.ts'

/** A question to a cell and its value, and what to say of a cell that fails it. */
export interface Check {
  /** The key of the pipeline that says so: `type`, `minimum`, … */
  readonly key: string
  readonly code: RejectCode
  /** SQL that is true for a cell at fault. But for the type's, it means nothing for one that is not of the type. */
  readonly broken: (cell: string, value: string) => string
  /** Says what is wrong with the cell, given as people can read it. */
  readonly message: (text: string) => string
}

/** The checks of a column in their order; `inKey` for one of the primary key, in which nothing may be missing. */
export function checksOf(field: Field, inKey: boolean): Check[] {
  return [...typeCheck(field), ...presence(field, inKey), ...limits(field), ...lengths(field), ...forms(field)]
}

function typeCheck(field: Field): Check[] {
  if (readingOf(field).strict === undefined) return []
  return [
    {
      key: 'type',
      code: 'type-error',
      broken: (cell, value) => `NOT (${soundSql(field, cell, value)})`,
      message: (text) => `${text} is not ${readingOf(field).about}`,
    },
  ]
}

function presence({ constraints: { required } }: Field, inKey: boolean): Check[] {
  if (!inKey && required !== true) return []
  const [code, why] = inKey
    ? (['primary-key', 'is part of the primary key'] as const)
    : (['constraint-error', 'is required'] as const)
  const broken = (_: string, value: string) => `${value} IS NULL`
  return [{ key: 'required', code, broken, message: () => `the value is missing, and the column ${why}` }]
}

const bounds = [
  ['minimum', '<', 'is less than the minimum'],
  ['maximum', '>', 'is more than the maximum'],
  ['exclusiveMinimum', '<=', 'is not more than'],
  ['exclusiveMaximum', '>=', 'is not less than'],
] as const

function limits(field: Field): Check[] {
  return bounds.flatMap(([key, operator, words]) => {
    const limit = field.constraints[key]
    if (limit === undefined) return []
    return [constraint(key, (_, value) => `${value} ${operator} ${constantSql(field, limit)}`, `${words} ${limit}`)]
  })
}

function lengths({ constraints: { minLength, maxLength } }: Field): Check[] {
  const least = minLength === undefined ? [] : [['minLength', '<', minLength, 'less than the least length'] as const]
  const most = maxLength === undefined ? [] : [['maxLength', '>', maxLength, 'more than the greatest length'] as const]
  return [...least, ...most].map(([key, operator, length, words]) =>
    constraint(key, (_, value) => `length(${value}) ${operator} ${length}`, `is ${words}, ${length}`),
  )
}

function forms(field: Field): Check[] {
  const { pattern, enum: allowed } = field.constraints
  const checks: Check[] = []
  if (pattern !== undefined) {
    const broken = (_: string, value: string) => `NOT (${patternSql(pattern, value)})`
    checks.push(constraint('pattern', broken, `does not match the pattern ${pattern}`))
  }
  if (allowed !== undefined) {
    const list = allowed.map((one) => constantSql(field, one)).join(', ')
    checks.push(constraint('enum', (_, value) => `${value} NOT IN (${list})`, `is not one of ${shown(allowed)}`))
  }
  return checks
}

function constraint(key: string, broken: Check['broken'], words: string): Check {
  return { key, code: 'constraint-error', broken, message: (text) => `${text} ${words}` }
}

/** Whether the whole value matches. RE2 takes time in proportion to the text, whatever the pattern. */
export function patternSql(pattern: string, value: string): string {
  return `regexp_full_match(${value}, ${quoteText(pattern)})`
}

/** A value that the pipeline names: a text as the file would write it, a number as YAML does. */
function constantSql(field: Field, constant: Scalar): string {
  return readingOf(constantField(field, constant)).value(quoteText(String(constant)))
}

/** True when the constant is a value of the column's type. */
export function constantSoundSql(field: Field, constant: Scalar): string {
  const written = constantField(field, constant)
  const value = `CAST(${constantSql(field, constant)} AS ${readingOf(written).sqlType})`
  return soundSql(written, quoteText(String(constant)), value) ?? 'true'
}

/** The column as a constant is read: never as missing, and a number in no other style than YAML's. */
function constantField(field: Field, constant: Scalar): Field {
  return typeof constant === 'string' ? { ...field, missingValues: [] } : plainField(field.name, field.type)
}

function shown(values: readonly Scalar[]): string {
  const some = values.slice(0, 10).map((value) => `“${value}”`)
  return some.join(', ') + (values.length > some.length ? `, … (${values.length})` : '')
}
