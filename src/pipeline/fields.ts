/** From what a pipeline says of a column to its field, and whether that goes together. */
import { booleans, type ColumnType, type Field, type Scalar } from '../table-schema.ts'
import type { ColumnYaml } from './columns.ts'
import { formatProblem } from './formats.ts'
import { instead, oneOf } from './yaml.ts'

/** Where something is wrong: the way to it from the column, as the verbatim form has it. */
export type TellProblem = (path: readonly PropertyKey[], message: string) => void

/** The field, whichever form it had; what the column's type has no use for is told. */
export function resolveField(
  name: string,
  yaml: ColumnYaml,
  around: { missingValues?: readonly string[] | undefined; timezone?: string | undefined },
  tell: TellProblem,
): Field {
  const { type: declared, format, categories } = yaml
  const timezone = yaml.timezone ?? (declared === 'datetime' ? around.timezone : undefined)
  const { decimalChar, groupChar, bareNumber, trueValues, falseValues } = yaml
  const { required, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern } =
    yaml.constraints
  const limits = { minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern }
  const found: Field = {
    name,
    type: declared,
    missingValues: yaml.missingValues ?? around.missingValues ?? [''],
    ...kept({ format: format === 'default' ? undefined : format }),
    ...kept({ decimalChar, groupChar, bareNumber, trueValues, falseValues, timezone }),
    constraints: kept({ required, enum: yaml.constraints.enum ?? categories, ...limits }),
  }
  checkField(found, tell)
  return found
}

function kept<T extends object>(entries: T): T {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T
}

const numbers = ['integer', 'number', 'decimal']
const ordered = [...numbers, 'date', 'time', 'datetime']

/** Which kinds of columns a key is for; it is an error on any other. */
const kindsOf: Readonly<Record<string, readonly string[]>> = {
  decimalChar: ['number', 'decimal'],
  groupChar: numbers,
  bareNumber: numbers,
  trueValues: ['boolean'],
  falseValues: ['boolean'],
  timezone: ['datetime'],
  minimum: ordered,
  maximum: ordered,
  exclusiveMinimum: ordered,
  exclusiveMaximum: ordered,
  minLength: ['string'],
  maxLength: ['string'],
  pattern: ['string'],
}

/** `decimal` of `decimal(18,2)`, else the type itself. */
export function kindOf(declared: ColumnType): string {
  return declared.replace(/\(.*/, '')
}

function checkField({ constraints: rules, ...how }: Field, tell: TellProblem): void {
  const kind = kindOf(how.type)
  for (const [path, entries] of [
    [[], how],
    [['constraints'], rules],
  ] as const) {
    for (const key of Object.keys(entries)) {
      const kinds = kindsOf[key]
      if (kinds?.includes(kind) === false) {
        tell([...path, key], `is for columns of type ${oneOf(kinds)}, and this one is of type ${how.type}; take it out`)
      }
    }
  }
  if (how.format !== undefined) {
    const problem = formatProblem(how.type, how.format, how.timezone !== undefined)
    if (problem !== undefined) tell(['format'], problem)
  }
  for (const key of ['decimalChar', 'groupChar'] as const) {
    if (/[\p{L}\p{Nd}+-]/u.test(how[key] ?? '')) tell([key], 'is part of numbers themselves; write another character')
  }
  if (how.groupChar === (how.decimalChar ?? '.')) tell(['groupChar'], 'is the decimalChar as well; change one of them')
  const both = (how.trueValues ?? booleans.true).find((one) => (how.falseValues ?? booleans.false).includes(one))
  if (both !== undefined)
    tell([how.trueValues === undefined ? 'falseValues' : 'trueValues'], `has “${both}”, which is true and false`)
  for (const key of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const) {
    const wanted = rules[key] === undefined || !ordered.includes(kind) ? undefined : unlike(kind, rules[key])
    if (wanted !== undefined) tell(['constraints', key], instead(wanted)({ input: rules[key] }))
  }
  for (const [i, value] of (rules.enum ?? []).entries()) {
    const wanted = unlike(kind, value)
    if (wanted !== undefined) tell(['constraints', 'enum', i], instead(wanted)({ input: value }))
  }
}

/** What to write instead of a value that no column of this kind can have. Whether a text is one, only the engine knows. */
function unlike(kind: string, value: Scalar): string | undefined {
  if (typeof value === 'string') return undefined
  if (typeof value === 'boolean') return kind === 'boolean' ? undefined : 'a value of the column’s type, in quotes'
  if (!numbers.includes(kind)) return 'a value of the column’s type, in quotes'
  return kind === 'integer' && !Number.isInteger(value) ? 'a whole number' : undefined
}
