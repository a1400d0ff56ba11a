import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { RunRequest } from '../ingest/tasks.ts'
import { isEnded, type Task, type Upload } from '../model.ts'
import { openBody } from './body.ts'
import { patience, principal, tillGone } from './request.ts'
import { idParams, page, planHash, problems, showTask, showUpload, taskSchema, uploadSchema, wait } from './schemas.ts'

const text = z.string()

/** What may stand in the query and in a form alike. */
const named = {
  name: text.optional().describe('What the file is called. Default: its name in the form, else upload.csv.'),
  pipeline: text.optional().describe('Run this pipeline over it at once.'),
  dryRun: z
    .enum(['true', 'false'], 'is true or false')
    .optional()
    .describe('Deliver nothing, and find out what it would come to.'),
  planHash: planHash.optional(),
}
const others = z.union([text, z.array(text)]).describe('A param of the pipeline goes as param.NAME.')
const formSchema = z.object(named).catchall(others)
const querySchema = z.object({ ...named, wait: wait.optional() }).catchall(others)

interface Query {
  readonly wait?: number | undefined
  readonly [field: string]: unknown
}

const body = z.unknown().meta({
  type: 'string',
  format: 'binary',
  description: 'The file itself, or a form with one file; name, pipeline and param.NAME may stand before it as fields.',
})

export const received = z.object({ upload: uploadSchema, task: taskSchema })

const schema = {
  tags: ['uploads'],
  consumes: ['application/octet-stream', 'text/csv', 'multipart/form-data'],
  querystring: querySchema,
  body,
  response: {
    200: received.describe('Stored, and the task has ended while the client waited.'),
    201: z.object({ upload: uploadSchema }).describe('Stored.'),
    202: received.describe('Stored, and a task is on its way.'),
    ...problems,
  },
}

/** @param closing aborted when the server is about to close. */
export function uploadRoutes(ingest: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  const answerTask = answering(ingest, closing)
  const answer = async (request: FastifyRequest, reply: FastifyReply, { wait: seconds, ...given }: Query) => {
    const { upload, task } = await receive(ingest, request, given)
    if (task !== undefined) return answerTask(request, reply, { upload, task }, seconds)
    void reply.code(201).header('location', `/v1/uploads/${upload.id}`)
    return { upload: showUpload(upload) }
  }

  return async (app) => {
    app.post(
      '/v1/uploads',
      {
        schema: {
          ...schema,
          operationId: 'upload',
          summary: 'Send a file, and run a pipeline over it if one is named',
        },
      },
      (request, reply) => answer(request, reply, request.query),
    )
    app.put(
      '/v1/uploads',
      { schema: { ...schema, operationId: 'uploadByPut', summary: 'The same for clients that PUT: curl -T FILE' } },
      (request, reply) => answer(request, reply, request.query),
    )
    app.put(
      // Called `id` like its neighbours: OpenAPI takes two names for one step of a path as two equal paths.
      '/v1/uploads/:id',
      {
        schema: {
          ...schema,
          operationId: 'uploadByName',
          summary: 'The same with the name in the path: curl -T FILE …/v1/uploads/',
          params: z.object({ id: text.describe('What the file is called.') }),
        },
      },
      (request, reply) => answer(request, reply, { ...request.query, name: request.params.id }),
    )

    app.get(
      '/v1/uploads',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'listUploads',
          summary: 'Uploads, newest first',
          querystring: z.strictObject(page),
          response: { 200: z.object({ uploads: z.array(uploadSchema), next: text.nullable() }), ...problems },
        },
      },
      async (request) => {
        const { limit, before } = request.query
        const uploads = await ingest.uploads.list(principal(request), { limit, before })
        const next = uploads.length < limit ? null : `/v1/uploads?limit=${limit}&before=${uploads.at(-1)?.id}`
        return { uploads: uploads.map(showUpload), next }
      },
    )
    app.get(
      '/v1/uploads/:id',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'getUpload',
          summary: 'One upload',
          params: idParams,
          response: { 200: uploadSchema, ...problems },
        },
      },
      async (request) => showUpload(await ingest.uploads.get(principal(request), request.params.id)),
    )
    app.delete(
      '/v1/uploads/:id',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'deleteUpload',
          summary: 'Delete an upload that no task needs any more',
          params: idParams,
          response: { 204: z.null(), ...problems },
        },
      },
      async (request, reply) => {
        await ingest.uploads.remove(principal(request), request.params.id)
        return reply.code(204).send(null)
      },
    )
  }
}

/** How a request is answered by which a task has come into being: once that has ended, if the client waits for it. */
export function answering({ tasks }: Pick<Ingest, 'tasks'>, closing: AbortSignal) {
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    { upload, task }: { upload: Upload; task: Task },
    seconds: number | undefined,
  ) => {
    const latest = await tasks.wait(principal(request), task.id, patience(request, seconds), tillGone(request, closing))
    void reply.code(isEnded(latest.state) ? 200 : 202).header('location', `/v1/tasks/${task.id}`)
    return { upload: showUpload(upload), task: showTask(latest) }
  }
}

/** Takes the body of a request as a file. A field of the form counts before the same one of the query. */
export async function receive(
  ingest: Ingest,
  request: FastifyRequest,
  given: Readonly<Record<string, unknown>>,
): Promise<{ upload: Upload; task: Task | undefined }> {
  const { source, fileName, fields, size } = await openBody(request)
  const { name, run } = readOrder({ ...given, ...fields })
  const delivery = { name: name ?? fileName ?? 'upload.csv', source, size, run }
  return ingest.uploads.receive(principal(request), delivery)
}

/** @throws {AppError} invalid */
function readOrder(given: Readonly<Record<string, unknown>>): {
  name: string | undefined
  run: RunRequest | undefined
} {
  const parsed = formSchema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new AppError('invalid', `${issue?.path.join('.')} is refused: ${issue?.message}.`)
  }
  const { name, pipeline, dryRun, planHash: plan, ...rest } = parsed.data
  const params = Object.entries(rest).map(([key, value]) => {
    if (key.startsWith('param.')) return [key.slice('param.'.length), value] as const
    throw new AppError(
      'invalid',
      `${key} means nothing here. There are name, pipeline, param.NAME, dryRun, planHash and, in the query, wait.`,
    )
  })
  if (pipeline !== undefined) {
    return { name, run: { pipeline, params: Object.fromEntries(params), dryRun: dryRun === 'true', planHash: plan } }
  }
  if (params.length === 0 && dryRun === undefined && plan === undefined) return { name, run: undefined }
  throw new AppError('invalid', 'What to run is told, but no pipeline. Name it with ?pipeline=.')
}
