/** What a client may say of a file beside its bytes: in the query, in fields of a form, in the metadata of tus. */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { NewFile } from '../ingest/uploads.ts'
import { mostParts } from '../model.ts'
import { planHash } from './schemas.ts'

const text = z.string()
const flag = z.enum(['true', 'false'], 'is true or false')

/** By name; what each is stands in the API's document. */
export const named = {
  name: text.optional().describe('What the file is called. Default: its name in the form, else upload.csv.'),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'is no SHA-256 in hex')
    .transform((hex) => hex.toLowerCase())
    .optional()
    .describe('What the whole file must hash to, in hex.'),
  pipeline: text.optional().describe('Run this pipeline over it once it is complete.'),
  input: text.optional().describe('The input of the pipeline that it is for. Default: by its name.'),
  again: flag.optional().describe('Run it even if the same was done before.'),
  dryRun: flag.optional().describe('Deliver nothing, and find out what it would come to.'),
  planHash: planHash.optional(),
  set: text.optional().describe('The set that it belongs to.'),
  files: text.optional().describe('How many files the set will have.'),
}
const others = z.union([text, z.array(text)]).describe('A param of the pipeline goes as param.NAME.')
export const fieldsSchema = z.object(named).catchall(others)

const paramPrefix = 'param.'

/**
 * @param most the fields that mean something beside these.
 * @throws {AppError} invalid
 */
export function readFields(
  given: Readonly<Record<string, unknown>>,
  most: readonly string[] = [],
): Omit<NewFile, 'name'> & { name: string | undefined } {
  const parsed = fieldsSchema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new AppError('invalid', `${issue?.path.join('.')} is refused: ${issue?.message}.`)
  }
  const { name, sha256, pipeline, input, again, dryRun, planHash: plan, set, files: told, ...rest } = parsed.data
  const files = told === undefined ? undefined : countOf('files', told)
  const params = Object.entries(rest).map(([key, value]) => {
    if (key.startsWith(paramPrefix)) return [key.slice(paramPrefix.length), value] as const
    const known = [...Object.keys(named), `${paramPrefix}NAME`, ...most].filter((one) => one !== key).join(', ')
    throw new AppError('invalid', `${key} means nothing here. There are ${known}.`)
  })
  if (files !== undefined && set === undefined) {
    throw new AppError('invalid', 'A number of files is told, but no set that they belong to. Name it with ?set=.')
  }
  const run = {
    params: Object.fromEntries(params),
    input,
    again: again === 'true',
    dryRun: dryRun === 'true',
    planHash: plan,
  }
  const file = { name, sha256, set: set === undefined ? undefined : { name: set, files } }
  if (pipeline !== undefined) return { ...file, wish: { run: { pipeline, ...run } } }
  if (params.length === 0 && [input, again, dryRun, plan].every((one) => one === undefined)) return file
  throw new AppError('invalid', 'What to run is told, but no pipeline. Name it with ?pipeline=.')
}

/**
 * How many, or which, counted from 1: in digits only, since 0x10 and 1e3 are somebody's mistake.
 * @throws {AppError} invalid
 */
export function countOf(what: string, told: unknown): number {
  const count = typeof told === 'string' && /^[1-9]\d{0,5}$/.test(told) ? Number(told) : Infinity
  if (count <= mostParts) return count
  throw new AppError('invalid', `${what} is a count from 1 to ${mostParts}.`)
}
