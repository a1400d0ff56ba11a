/**
 * What goes over the wire: one schema a noun, for the routes, their answers and the OpenAPI document alike, and beside
 * it how the noun of the model is shown. What is not named here never leaves, such as blob keys and pipelines' text.
 */
import { z } from 'zod'
import { type ErrorCode, errorCodes } from '../errors.ts'
import { isId } from '../ids.ts'
import { isFile, loadModes, type Output, outputFormats, type RejectsFile, type Task, taskStates } from '../model.ts'
import { maxLeftKeys } from '../balances.ts'
import type { LoadedPipeline } from '../pipeline/load.ts'

export const count = z.int().nonnegative()
export const time = z.iso.datetime()
export const sha256 = z.string().describe('Hex.')

export const maxWait = 60
export const maxPage = 200

export const wait = z.coerce
  .number()
  .min(0)
  .max(maxWait)
  .describe(`Seconds to wait for the task's end before answering; at most ${maxWait}.`)

export const page = {
  limit: z.coerce.number().int().min(1).max(maxPage).default(50),
  before: z
    .string()
    .refine(isId, 'is not an id')
    .optional()
    .describe('The last id of the page before; newest come first.'),
}

export const idParams = z.object({ id: z.string() })

// ------------------------------------------------------------------------------------------------ problems

export const problemSchema = z
  .object({
    type: z.string().describe('Always about:blank: `code` says what it is.'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' })

const problem = {
  description: 'A problem, as RFC 9457 has it.',
  content: { 'application/problem+json': { schema: problemSchema } },
}

/** The refusals that every route may answer with. */
export const problems = { '4xx': problem, '5xx': problem }

// --------------------------------------------------------------------------------------------------- tasks

const texts: z.ZodType<readonly string[]> = z.array(z.string())

const paramSchema = z.union([z.string(), z.number(), z.boolean(), texts])

export const planHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'is no hash of a plan')
  .describe('`plan.hash` of a dry run: the task delivers just what that plan says, or fails with conflict.')

export const submitSchema = z
  .strictObject({
    pipeline: z.string(),
    inputs: z
      .array(z.strictObject({ upload: z.string(), input: z.string().optional() }))
      .min(1, 'is empty; name at least one upload'),
    params: z.record(z.string(), paramSchema).default({}),
    dryRun: z.boolean().optional().describe('Deliver nothing, and find out what it would come to: the task’s `plan`.'),
    planHash: planHash.optional(),
    again: z.boolean().optional().describe('Run it even if the same was done before.'),
  })
  .meta({ id: 'Submission' })

const inputBalance = z.object({ records: count, accepted: count, rejected: count, blankLines: count })
const outputBalance = z.object({
  produced: count,
  inserted: count,
  updated: count,
  unchanged: count,
  skipped: count,
})

const familySchema = z
  .object({ records: count, accepted: count, rejected: count, left: count })
  .describe(
    'What has become of the records of a task and of those that corrected its rejects: accepted by any of them, rejected ' +
      'by the last, or left out of a correction. Of GET /v1/tasks/{id}, for a task that is not alone.',
  )

const fileOutput = z
  .object({
    name: z.string(),
    format: z.enum(outputFormats),
    rows: count,
    bytes: count,
    sha256,
    url: z.string(),
  })
  .meta({ id: 'FileOutput', description: 'A file to download.' })

const tableOutput = z
  .object({
    name: z.string(),
    to: z.string().describe('The sink.'),
    table: z.string(),
    mode: z.enum(loadModes),
    rows: count,
    undoable: z.boolean().describe('Whether the table keeps what is needed to undo it.'),
  })
  .meta({ id: 'TableOutput', description: 'Rows that went into a table.' })

const planSchema = z
  .object({
    hash: z.string().describe('Over the inputs, the pipeline, the params, the tables’ columns, and the counts.'),
    inputs: z.record(z.string(), inputBalance),
    outputs: z.record(z.string(), outputBalance),
  })
  .meta({ id: 'Plan', description: 'What a dry run has found that the task would come to.' })

const undoneSchema = z
  .object({
    removed: count.describe('Rows that were taken out.'),
    restored: count.describe('Rows that are again what they were before, or there again.'),
    left: count.describe('Rows that were left as they are: somebody else has changed them, or taken them out.'),
    leftKeys: z
      .array(z.record(z.string(), z.string().nullable()))
      .readonly()
      .describe(`Their keys, where there is a key; at most ${maxLeftKeys}.`),
  })
  .meta({ id: 'Undone', description: 'What has become of the rows of an output that was undone.' })

export const taskSchema = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    state: z.enum(taskStates),
    params: z.record(z.string(), paramSchema),
    inputs: z.array(z.object({ input: z.string(), upload: z.string(), name: z.string() })),
    attempt: count,
    crashes: count,
    failures: count,
    lostLeases: count,
    progress: z
      .object({
        phase: z.enum(['reading', 'working', 'delivering']),
        unit: z.enum(['bytes', 'rows']),
        done: count,
        total: count.nullable(),
      })
      .nullable(),
    balances: z
      .object({ inputs: z.record(z.string(), inputBalance), outputs: z.record(z.string(), outputBalance) })
      .nullable(),
    warnings: z.array(z.object({ code: z.string(), message: z.string() })),
    outputs: z.array(z.union([fileOutput, tableOutput])),
    rejects: z
      .object({
        count,
        bytes: count,
        url: z.string(),
        fixable: z
          .array(z.object({ input: z.string(), bytes: count, url: z.string() }))
          .describe('The rejected records of each input, to be corrected and sent back.'),
      })
      .nullable(),
    error: z
      .object({
        code: problemSchema.shape.code,
        message: z.string(),
        details: z.record(z.string(), z.unknown()).optional(),
      })
      .nullable(),
    retryOf: z.string().nullable(),
    duplicateOf: z.string().nullable().describe('The earlier task that it would have repeated: so it was cancelled.'),
    duplicate: z.literal(true).optional().describe('It is an earlier task, which the one asked for would only repeat.'),
    corrects: z.string().nullable().describe('The task whose rejects it brings, corrected.'),
    correctedBy: z.string().nullable().describe('The task that brings its rejects, corrected.'),
    family: familySchema.optional(),
    dryRun: z.boolean(),
    plan: planSchema.nullable(),
    planHash: z.string().nullable().describe('Of the plan that alone it may carry out.'),
    undoes: z.string().nullable().describe('The task whose rows it takes out of their tables again.'),
    undoneBy: z.string().nullable().describe('The task that takes its rows out again.'),
    undone: z.record(z.string(), undoneSchema).nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    expiresAt: time.nullable().describe('From then on its results may be gone.'),
    expired: z.boolean().describe('Whether they are.'),
    links: z.object({ self: z.string(), events: z.string(), cancel: z.string(), retry: z.string(), undo: z.string() }),
  })
  .meta({ id: 'Task' })

export function showTask(task: Task) {
  const self = `/v1/tasks/${task.id}`
  return {
    id: task.id,
    pipeline: task.pipeline,
    state: task.state,
    params: task.params,
    inputs: task.inputs.map(({ input, upload, name }) => ({ input, upload, name })),
    attempt: task.attempt,
    crashes: task.crashes,
    failures: task.failures,
    lostLeases: task.lostLeases,
    progress: task.progress,
    balances: task.balances,
    warnings: [...task.warnings],
    outputs: task.outputs.map((output) => showOutput(output, self)),
    rejects: task.rejects && showRejects(task.rejects, `${self}/rejects`),
    error: task.error,
    retryOf: task.retryOf,
    duplicateOf: task.duplicateOf,
    corrects: task.corrects,
    correctedBy: task.correctedBy,
    dryRun: task.dryRun,
    plan: task.plan && { ...task.plan },
    planHash: task.planHash,
    undoes: task.undoes,
    undoneBy: task.undoneBy,
    undone: task.undone && { ...task.undone },
    createdAt: iso(task.createdAt),
    startedAt: isoOrNull(task.startedAt),
    endedAt: isoOrNull(task.endedAt),
    expiresAt: isoOrNull(task.expiresAt),
    expired: task.expired,
    links: {
      self,
      events: `${self}/events`,
      cancel: `${self}/cancel`,
      retry: `${self}/retry`,
      undo: `${self}/undo`,
    },
  } satisfies z.input<typeof taskSchema>
}

function showRejects({ count: faults, bytes, fixable }: RejectsFile, url: string) {
  const files = fixable.map((file) => ({
    input: file.input,
    bytes: file.bytes,
    url: `${url}?format=fixable&input=${file.input}`,
  }))
  return { count: faults, bytes, url, fixable: files }
}

function showOutput(output: Output, task: string) {
  if (!isFile(output)) return output
  const { name, format, rows, bytes, sha256: digest } = output
  return { name, format, rows, bytes, sha256: digest, url: `${task}/outputs/${name}` }
}

// ----------------------------------------------------------------------------------------------- pipelines

export const pipelineSchema = z
  .object({
    name: z.string(),
    about: z.string(),
    params: z.record(
      z.string(),
      z.object({
        type: z.enum(['string', 'integer', 'number', 'boolean', 'array']),
        about: z.string().optional(),
        enum: texts.optional(),
        default: paramSchema.optional(),
        required: z.boolean(),
      }),
    ),
    rejects: z.union([z.enum(['fail', 'keep']), z.object({ max: z.number() })]),
    inputs: z.record(
      z.string(),
      z.object({ match: z.string().optional(), columns: z.record(z.string(), z.string()).optional() }),
    ),
    outputs: z.record(
      z.string(),
      z.object({
        to: z.string(),
        format: z.enum(outputFormats).optional(),
        table: z.string().optional(),
        mode: z.string().optional(),
        key: z.union([z.string(), texts]).optional(),
        drift: z.string().optional(),
      }),
    ),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: 'Pipeline' })

export function showPipeline({ pipeline }: LoadedPipeline) {
  const { name, about, params, rejects, inputs, outputs } = pipeline
  return { name, about, params, rejects, inputs, outputs, links: { self: `/v1/pipelines/${name}` } } satisfies z.input<
    typeof pipelineSchema
  >
}

export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms)
}
