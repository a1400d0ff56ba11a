/** What a pipeline says about an input. The short form and a Table Schema, verbatim, become one contract. */
import { z } from 'zod'
import { foldCase } from '../identifiers.ts'
import type { InputSpec, Pipeline } from '../definition.ts'
import { fieldsMatches, type ForeignKey, type Schema } from '../table-schema.ts'
import { annotations, column, type ColumnYaml, field, isConstraint, missingValues, zone } from './columns.ts'
import { resolveField } from './fields.ts'
import { reader } from './reader.ts'
import { checkReferences } from './references.ts'
import { instead, keyed, locate, oneOf } from './yaml.ts'

const columnNames = z
  .union(
    [
      z.string().transform((one) => [one]),
      z
        .array(z.string())
        .min(1)
        .refine((names) => new Set(names).size === names.length),
    ],
    { error: instead('the name of a column, or a list of different ones') },
  )
  .transform((names): readonly string[] => names)

const foreignKey = keyed('a mapping with fields and reference', {
  fields: columnNames,
  reference: keyed('a mapping with resource and fields', {
    resource: z.string({ error: instead('the name of an input, or "" for this one') }).default(''),
    fields: columnNames,
  }),
})

const matches = z.enum(fieldsMatches, { error: instead(oneOf(fieldsMatches)) })

const keys = {
  primaryKey: columnNames.optional(),
  uniqueKeys: z.array(columnNames, { error: instead('a list of lists of column names') }).optional(),
  foreignKeys: z.array(foreignKey, { error: instead('a list of foreign keys') }).optional(),
  missingValues: missingValues.optional(),
  // A list of one is how the first text of Data Package 2.0 had it.
  fieldsMatch: z
    .preprocess((value) => (Array.isArray(value) && value.length === 1 ? value[0] : value), matches)
    .optional(),
}

const tableSchema = keyed('a Table Schema: a mapping with fields', {
  fields: z.array(field, { error: instead('a list of fields') }).min(1, 'is empty; name at least one field'),
  ...keys,
  ...annotations,
  $schema: z.unknown().optional(),
  name: z.unknown().optional(),
})

export const input = keyed('a mapping; {} takes any columns', {
  match: z
    .string({ error: instead('a glob such as "*orders*"') })
    .min(1, 'is empty; write a glob')
    .optional(),
  columns: z
    .record(z.string().min(1, 'is empty; a column needs a name'), column, {
      error: instead('a mapping of column names to types'),
    })
    .optional(),
  schema: tableSchema.optional(),
  timezone: zone.optional(),
  reader: reader.optional(),
  ...keys,
})

type InputYaml = z.infer<typeof input>

/** Tells a problem at a place in the inputs. */
type Tell = (path: readonly PropertyKey[], message: string) => void

/** The inputs with their contracts resolved; whatever does not go together in them is told. */
export function resolveInputs(
  inputs: Readonly<Record<string, InputYaml>>,
  context: Pick<z.RefinementCtx, 'addIssue'>,
): Record<string, InputSpec> {
  const tell: Tell = (path, message) => context.addIssue({ code: 'custom', path: [...path], message })
  const resolved: Record<string, InputSpec> = {}
  for (const [name, yaml] of Object.entries(inputs)) {
    const schema = resolveSchema(name, yaml, (path, message) => tell([name, ...path], message))
    const { match, reader: form } = yaml
    resolved[name] = { ...(match !== undefined && { match }), ...(schema && { schema }), ...(form && { reader: form }) }
  }
  checkReferences(resolved, (name, path, message) =>
    tell([name, ...(inputs[name]?.schema === undefined ? [] : ['schema']), ...path], message),
  )
  return resolved
}

function resolveSchema(name: string, yaml: InputYaml, tell: Tell): Schema | undefined {
  const { columns, schema, timezone } = yaml
  const beside = [...Object.keys(keys), ...(schema === undefined ? ['timezone'] : [])].filter(
    (key) => yaml[key as keyof InputYaml] !== undefined,
  )
  if (schema !== undefined) {
    if (columns !== undefined) tell(['columns'], 'stands beside schema; keep one of them')
    for (const key of beside) tell([key], 'stands beside schema; write it inside')
  } else if (columns === undefined) {
    for (const key of beside) tell([key], 'is for columns that are declared; write columns or schema beside it')
    return undefined
  }
  const declared = schema ?? yaml
  const around = { missingValues: declared.missingValues, timezone }
  const places = schema === undefined ? flatPlaces(columns ?? {}) : nestedPlaces(schema.fields)
  const fields = places.map(([label, all, place]) =>
    resolveField(label, all, around, (path, message) => tell(place(path), message)),
  )
  refuseTwins(places, tell)
  refuseLostOrder(yaml, tell)
  const unique = places.filter(([, all]) => all.constraints.unique === true).map(([label]) => [label])
  return {
    fields,
    fieldsMatch: declared.fieldsMatch ?? 'equal',
    primaryKey: declared.primaryKey ?? [],
    uniqueKeys: [...(declared.uniqueKeys ?? []), ...unique],
    foreignKeys: (declared.foreignKeys ?? []).map((key) => toForeignKey(name, key)),
  }
}

/** Without a resource, or with an empty one, a key refers to its own input. */
function toForeignKey(name: string, { fields, reference }: z.infer<typeof foreignKey>): ForeignKey {
  return { fields, reference: { resource: reference.resource || name, fields: reference.fields } }
}

/** A column with the way to it, and to what is declared of it. */
type Place = readonly [name: string, yaml: ColumnYaml, place: (path: readonly PropertyKey[]) => PropertyKey[]]

function flatPlaces(columns: Readonly<Record<string, ColumnYaml>>): Place[] {
  return Object.entries(columns).map(([name, yaml]) => [
    name,
    yaml,
    (path) => ['columns', name, ...path.filter((step) => step !== 'constraints')],
  ])
}

function nestedPlaces(fields: readonly z.infer<typeof field>[]): Place[] {
  return fields.map((yaml, i) => [yaml.name, yaml, (path) => ['schema', 'fields', i, ...path]])
}

function refuseTwins(places: readonly Place[], tell: Tell): void {
  const seen = new Map<string, string>()
  for (const [name, , place] of places) {
    const twin = seen.get(foldCase(name))
    seen.set(foldCase(name), name)
    if (twin === name) tell(place([]), `is the second column called ${name}; rename one of them`)
    else if (twin !== undefined) {
      tell(place([]), `differs from ${twin} only in case, which SQL cannot tell apart; rename one of them`)
    }
  }
}

/** JavaScript puts keys that look like integers first, so that nobody can tell any more where they stood. */
function refuseLostOrder({ columns, fieldsMatch }: InputYaml, tell: Tell): void {
  const number = fieldsMatch === 'exact' ? Object.keys(columns ?? {}).find((name) => /^\d+$/.test(name)) : undefined
  if (number === undefined) return
  tell(['fieldsMatch'], `is exact, but the column ${number} has no place in a mapping; list the columns in a schema`)
}

/** A rule of a column, as the engine names it. */
export interface RuleName {
  readonly input: string
  readonly column: string
  /** A key of `Field` or of `Constraints`. */
  readonly key: string
}

/** Where a pipeline's text has a rule, whichever form it uses: the way there as messages name it, and its line. */
export function locateRule(text: string, { inputs }: Pick<Pipeline, 'inputs'>, rule: RuleName) {
  const { input: name, column: columnName, key } = rule
  const position = inputs[name]?.schema?.fields.findIndex((one) => one.name === columnName) ?? -1
  const step = isConstraint(key) ? ['constraints', key] : [key]
  const isVerbatim = locate(text, ['inputs', name, 'schema']).found
  const inside = isVerbatim ? ['schema', 'fields', String(position), ...step] : ['columns', columnName, key]
  const path = ['inputs', name, ...inside]
  return { path: path.join('.'), line: locate(text, path).line }
}
