/** How a pipeline writes a column: its type, how its cells are read, and what their values must be. */
import { z } from 'zod'
import { type ColumnType, columnTypes } from '../table-schema.ts'
import { instead, keyed, oneOf, told } from './yaml.ts'

/** Types of Table Schema's that Rowmill does not have. */
const foreignTypes = ['object', 'array', 'list', 'year', 'yearmonth', 'duration', 'geopoint', 'geojson']

const wantedType = instead(`${oneOf(columnTypes)} or "decimal(18,2)", in quotes and with at most 38 digits`)

/** `any`, Table Schema's word for a column of which nothing is said, is text. */
const columnType = z
  .custom<ColumnType | 'any'>((text) => text === 'any' || (typeof text === 'string' && isColumnType(text)), {
    error: (issue) =>
      foreignTypes.includes(String(issue.input))
        ? `is "${String(issue.input)}", a type of Table Schema that Rowmill does not have; there are ${oneOf([...columnTypes, 'decimal(p,s)'])}`
        : wantedType(issue),
  })
  .transform((type): ColumnType => (type === 'any' ? 'string' : type))

const text = z.string({ error: instead('a text, in quotes') })
const flag = z.boolean({ error: instead('true or false') })
const length = z.int({ error: instead('a whole number') }).min(0, 'is below 0; write a whole number')
const char = z.string({ error: instead('one character, in quotes') }).refine((one) => /^.$/su.test(one), {
  error: instead('one character, in quotes'),
})

const scalar = z
  .union([z.string(), z.number(), z.boolean()], { error: instead('a single value') })
  .refine((value) => typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value), {
    error: 'is an integer that YAML cannot hold exactly; write it in quotes',
  })

function listOf<T>(one: z.ZodType<T>, what: string) {
  return z.array(one, { error: instead(what) })
}

/** A value, or one with a label, of which only the value counts. */
function labelled<T>(one: z.ZodType<T>, what: string) {
  const pair = z.object({ value: one, label: z.unknown().optional() }).transform(({ value }) => value)
  return z.union([one, pair], { error: instead(what) })
}

export const missingValues = listOf(labelled(text, 'a text, in quotes'), 'a list of texts')

/** As DuckDB and JavaScript both know it. */
export const zone = text.refine(isZone, { error: instead('an IANA zone such as Europe/Berlin or UTC') })

/** How a column's cells are read. */
export const reading = {
  format: text.optional(),
  missingValues: missingValues.optional(),
  decimalChar: char.optional(),
  groupChar: char.optional(),
  bareNumber: flag.optional(),
  trueValues: listOf(text, 'a list of texts').min(1, 'is empty; name at least one').optional(),
  falseValues: listOf(text, 'a list of texts').min(1, 'is empty; name at least one').optional(),
  timezone: zone.optional(),
  categories: listOf(labelled(scalar, 'a single value'), 'a list of values').optional(),
}

/** What a column's values must be. */
export const constraints = {
  required: flag.optional(),
  unique: flag.optional(),
  enum: listOf(scalar, 'a list of the values allowed').min(1, 'is empty; name at least one value').optional(),
  minimum: scalar.optional(),
  maximum: scalar.optional(),
  exclusiveMinimum: scalar.optional(),
  exclusiveMaximum: scalar.optional(),
  minLength: length.optional(),
  maxLength: length.optional(),
  pattern: text.optional(),
}

export function isConstraint(key: string): boolean {
  return Object.hasOwn(constraints, key)
}

/** What is for people and catalogs only. */
export const annotations = {
  title: z.unknown().optional(),
  description: z.unknown().optional(),
  example: z.unknown().optional(),
  examples: z.unknown().optional(),
  rdfType: z.unknown().optional(),
}

const type = columnType.default('string')

const notes = { ...annotations, categoriesOrdered: z.unknown().optional() }

const flat = keyed('a type, or a mapping such as { type: integer, minimum: 0 }', {
  type,
  ...reading,
  ...constraints,
  ...notes,
}).transform(({ type: declared, ...all }) => ({ type: declared, ...all, constraints: all }))

/** A column of the short form: a type, or a mapping with everything on one level. */
export const column = z.unknown().transform((value, context) => {
  const form: z.ZodType<ColumnYaml> =
    typeof value === 'string' ? columnType.transform((declared) => ({ type: declared, constraints: {} })) : flat
  const read = form.safeParse(value)
  if (read.success) return read.data
  for (const { path, message } of read.error.issues.flatMap(told)) context.addIssue({ code: 'custom', path, message })
  return z.NEVER
})

/** A field of a Table Schema. */
export const field = keyed('a mapping with name and type', {
  name: z.string({ error: instead('the name of the column') }).min(1, 'is empty; a column needs a name'),
  type,
  ...reading,
  constraints: keyed('a mapping such as { required: true }', constraints).default({}),
  ...notes,
})

/** A column as either form has it. */
export interface ColumnYaml extends z.infer<z.ZodObject<typeof reading>> {
  readonly type: ColumnType
  readonly constraints: z.infer<z.ZodObject<typeof constraints>>
}

/** DuckDB's DECIMAL: up to 38 digits, of which `s` stand after the point. */
function isColumnType(name: string): boolean {
  if ((columnTypes as readonly string[]).includes(name)) return true
  const [, digits, places] = /^decimal\((\d{1,2}),(\d{1,2})\)$/.exec(name) ?? []
  return Number(digits) >= 1 && Number(digits) <= 38 && Number(places) <= Number(digits)
}

function isZone(name: string): boolean {
  try {
    // Offsets such as +02:00 are zones to JavaScript, but not to DuckDB.
    return /^[A-Z]/i.test(new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone)
  } catch {
    return false
  }
}
