/**
 * What a pipeline's YAML may say. `docs/pipelines.md` explains every key.
 */
import { z } from 'zod'
import type { ParamSpec } from '../definition.ts'
import { input, resolveInputs } from './inputs.ts'
import { checkOutputParams, outputYaml } from './outputs.ts'
import { instead, keyed, oneOf } from './yaml.ts'

/** Relations that exist in every run, so that no input may take their names. */
export const reservedNames = ['files', 'rejects', 'columns'] as const

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'is not a name; write a to z, 0 to 9 and _, a letter first, at most 63 characters')

const relationName = name.refine(
  (text) => !(reservedNames as readonly string[]).includes(text),
  'is a reserved name; choose another',
)

const sentence = z.string({ error: instead('a sentence') }).min(1, 'is empty; write a sentence')

const paramTypes = ['string', 'integer', 'number', 'boolean', 'array'] as const

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: instead('a single value') })

const param = keyed('a mapping such as { type: integer, default: 10 }', {
  type: z.enum(paramTypes, { error: instead(oneOf(paramTypes)) }).default('string'),
  about: sentence.optional(),
  enum: z
    .array(scalar.transform(String), { error: instead('a list of the values allowed') })
    .min(1, 'is empty; name at least one value')
    .optional(),
  default: z.union([scalar, z.array(z.string())], { error: instead('a value of its type') }).optional(),
  required: z.boolean({ error: instead('true or false') }).default(false),
}).superRefine((spec, context) => {
  if (spec.default === undefined) return
  const problem = spec.required ? 'stands beside required: true; keep one of them' : checkParam(spec, spec.default)
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['default'], message: problem })
})

const rejects = z.union(
  [
    z.enum(['fail', 'keep']),
    z.strictObject({
      max: z.number().refine((max) => (max > 0 && max < 1) || (max >= 1 && Number.isInteger(max)), {
        error: instead('a share below 1 or a whole number of rejects'),
      }),
    }),
  ],
  { error: instead('fail, keep, { max: 0.01 } for a share or { max: 100 } for a count') },
)

export const pipelineSchema = keyed('a mapping with about, inputs and outputs', {
  about: sentence,
  params: named(param, 'a mapping of names to their types').default({}),
  rejects: rejects.default('fail'),
  inputs: atLeastOne(named(input, 'a mapping of names to their columns', relationName)).transform(resolveInputs),
  outputs: atLeastOne(named(outputYaml, 'a mapping of names to their SQL')),
}).superRefine(({ params, outputs }, context) => {
  checkOutputParams(outputs, params, (path, message) =>
    context.addIssue({ code: 'custom', path: ['outputs', ...path], message }),
  )
})

/**
 * What is wrong with a value for a param, if anything; the words follow the param's name.
 * Numbers must be exact: integers within 2^53.
 */
export function checkParam(
  { type, enum: allowed }: Pick<ParamSpec, 'type' | 'enum'>,
  value: unknown,
): string | undefined {
  if (!types[type].is(value)) return `is ${JSON.stringify(value)}; give ${types[type].what}`
  const strange = (Array.isArray(value) ? value : [value]).find((one) => allowed?.includes(String(one)) === false)
  return strange === undefined ? undefined : `is ${String(strange)}; give ${oneOf(allowed ?? [])}`
}

const types: Readonly<Record<ParamSpec['type'], { what: string; is: (value: unknown) => boolean }>> = {
  string: { what: 'a text', is: (value) => typeof value === 'string' },
  integer: { what: 'a whole number', is: Number.isSafeInteger },
  number: { what: 'a number', is: Number.isFinite },
  boolean: { what: 'true or false', is: (value) => typeof value === 'boolean' },
  array: {
    what: 'a list of texts',
    is: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  },
}

function named<T extends z.ZodType>(value: T, what: string, key = name) {
  return z.record(key, value, { error: instead(what) })
}

function atLeastOne<T>(record: z.ZodType<Record<string, T>>) {
  return record.refine((entries) => Object.keys(entries).length > 0, 'is empty; name at least one')
}
