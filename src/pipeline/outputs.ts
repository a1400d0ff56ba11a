/** What a pipeline says about an output, and which table a task's params make of it. */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { driftPolicies, loadModes, outputFormats, type Param, type Params, type Target } from '../model.ts'
import { isForTable, type OutputSpec, type ParamSpec, type TableSpec } from '../definition.ts'
import { instead, keyed, oneOf } from './yaml.ts'

/** Sinks that make files of outputs, and the format when none is written. Every other sink is one of tables. */
const formats = { results: 'csv', metadata: 'ndjson' } as const
export const fileSinks = Object.keys(formats)

const text = (what: string) => z.string({ error: instead(what) }).min(1, `is empty; write ${what}`)

const reference = /^\$[a-z][a-z0-9_]*$/

/** One of these words, or a param that will be one. */
function wordOrParam(words: readonly string[]) {
  return z
    .string({ error: instead(`${oneOf(words)}, or a param such as $mode`) })
    .refine((value) => words.includes(value) || reference.test(value), {
      error: instead(`${oneOf(words)}, or a param such as $mode`),
    })
}

export const outputYaml = keyed('a mapping with to and sql', {
  to: z
    .string({ error: instead('the name of a sink such as results or warehouse') })
    .regex(/^[a-z][a-z0-9_]{0,62}$/, { error: instead('the name of a sink such as results or warehouse') }),
  format: z.enum(outputFormats, { error: instead(oneOf(outputFormats)) }).optional(),
  table: text('the name of a table, or a param such as $table').optional(),
  mode: wordOrParam(loadModes).optional(),
  key: z
    .union([text('the name of a column'), z.array(text('the name of a column')).min(1)], {
      error: instead('the names of columns, or a param such as $key'),
    })
    .optional(),
  drift: wordOrParam(driftPolicies).optional(),
  undoable: z
    .union([z.boolean(), z.string().regex(reference)], { error: instead('true, false, or a param such as $undoable') })
    .optional(),
  sql: z.string({ error: instead('one SELECT') }).refine((sql) => sql.trim() !== '', 'is empty; write one SELECT'),
}).transform(({ to, format, sql, ...table }, context): OutputSpec => {
  const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
  if (!Object.hasOwn(formats, to)) {
    if (format !== undefined) refuse('format', `is of files, and ${to} is a sink of tables; leave it out`)
    return { to, sql, ...table }
  }
  for (const key of Object.keys(table)) refuse(key, `is of tables, and ${to} makes a file; leave it out`)
  return { to, format: format ?? formats[to as keyof typeof formats], sql }
})

const referring = {
  table: ['string'],
  mode: ['string'],
  key: ['string', 'array'],
  drift: ['string'],
  undoable: ['boolean'],
} as const

/** Tells each `$param` in the outputs that is no param, or none of a type that can stand there. */
export function checkOutputParams(
  outputs: Readonly<Record<string, OutputSpec>>,
  params: Readonly<Record<string, Pick<ParamSpec, 'type'>>>,
  tell: (path: readonly string[], message: string) => void,
): void {
  for (const [name, spec] of Object.entries(outputs)) {
    if (!isForTable(spec)) continue
    for (const [key, types] of Object.entries(referring)) {
      const value = spec[key as keyof typeof referring]
      if (typeof value !== 'string' || !reference.test(value)) continue
      const param = value.slice(1)
      const type = Object.hasOwn(params, param) ? params[param]?.type : undefined
      if (type === undefined) tell([name, key], `is ${value}, and there is no param ${param}; declare it in params`)
      else if (!(types as readonly string[]).includes(type)) {
        tell([name, key], `is ${value}, and the param ${param} is ${type}; make it ${oneOf(types)}`)
      }
    }
  }
}

/**
 * The table of an output once the params are known.
 * @param file the name of the task's first file; without a table in the pipeline and the params, the table is called so.
 * @throws {AppError} unprocessable, when they do not go together.
 */
export function targetOf(output: string, spec: TableSpec, params: Params, file: string): Target {
  const valueOf = (given: Param | undefined) =>
    typeof given === 'string' && reference.test(given) ? params[given.slice(1)] : given
  const word = <T extends string>(key: 'mode' | 'drift', words: readonly T[], fallback: T): T => {
    const given = valueOf(spec[key]) ?? fallback
    const known = words.find((one) => one === given)
    if (known !== undefined) return known
    throw refused(output, `the ${key} is ${String(given)}; give ${oneOf(words)}`)
  }
  const mode = word('mode', loadModes, 'append')
  const given = valueOf(spec.key)
  const key = given === undefined ? [] : [given].flat().map(String)
  if (mode === 'upsert' && key.length === 0) {
    throw refused(output, 'upsert needs a key: the columns that tell rows apart. Give it, such as --param key=id')
  }
  if (mode !== 'upsert' && key.length > 0) {
    throw refused(output, `a key is of upsert only, and the mode is ${mode}. Leave the key out, or give mode=upsert`)
  }
  const twin = key.find((name, i) => key.indexOf(name) !== i)
  if (twin !== undefined) throw refused(output, `the key names the column ${twin} twice. Name it once`)
  const table = String(valueOf(spec.table) ?? '') || tableOf(file)
  // What an upsert changes may be the whole table.
  const undoable = Boolean(valueOf(spec.undoable) ?? mode !== 'upsert')
  return { table, mode, key, drift: word('drift', driftPolicies, 'fail'), undoable }
}

/** `exports/Customers 2024.csv.gz` → `Customers 2024`. */
function tableOf(file: string): string {
  const name = file.replace(/^.*[/\\]/s, '')
  const table = name.replace(/(\.(csv|tsv|tab|psv|txt|dat|gz|zst|zip))+$/i, '') || name
  // A dot would set a schema apart.
  return /[."]/.test(table) ? `"${table.replaceAll('"', '""')}"` : table
}

function refused(output: string, what: string): AppError {
  return new AppError('unprocessable', `Output ${output}: ${what}.`, { details: { output } })
}
