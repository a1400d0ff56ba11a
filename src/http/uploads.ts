import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import type { Received } from '../ingest/finish.ts'
import { openBody } from './body.ts'
import { toldDigests } from './digests.ts'
import { countOf, fieldsSchema, readFields } from './fields.ts'
import { beginPieces } from './parts.ts'
import { answering, receivedAnswers } from './received.ts'
import { idempotencyKey, principal } from './request.ts'
import { idParams, page, problems, wait } from './schemas.ts'
import { showUpload, uploadSchema } from './upload-schemas.ts'
import { createByTus, isTus } from './tus.ts'

const text = z.string()
const querySchema = fieldsSchema.extend({
  wait: wait.optional(),
  parts: text.optional().describe('Send no body, but pieces under /parts/{n}: how many, or “any”.'),
})

interface Query {
  readonly wait?: number | undefined
  readonly [field: string]: unknown
}

const body = z.unknown().meta({
  type: 'string',
  format: 'binary',
  description: 'The file itself, or a form with one file; the fields of the query may stand before it as fields.',
})

const schema = {
  tags: ['uploads'],
  consumes: ['application/octet-stream', 'text/csv', 'multipart/form-data'],
  querystring: querySchema,
  body,
  response: receivedAnswers,
}

/** @param closing aborted when the server is about to close. */
export function uploadRoutes(ingest: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  const answerReceived = answering(ingest, closing)
  const answer = async (request: FastifyRequest, reply: FastifyReply, { wait: seconds, ...given }: Query) =>
    answerReceived(request, reply, await receive(ingest, request, given), seconds)

  return async (app) => {
    app.post(
      '/v1/uploads',
      {
        schema: {
          ...schema,
          operationId: 'upload',
          summary: 'Send a file, and run a pipeline over it if one is named; or begin one, for pieces or tus',
        },
      },
      async (request, reply) => {
        if (isTus(request)) return await createByTus(ingest, request, reply, request.query)
        const { parts, ...query } = request.query
        if (parts === undefined) return await answer(request, reply, query)
        const upload = await beginPieces(ingest, request, parts, query)
        void reply.code(201).header('location', `/v1/uploads/${upload.id}`)
        return { upload: showUpload(upload) }
      },
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
        exposeHeadRoute: false,
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
  }
}

/**
 * Takes the body of a request as a file. A field of the form counts before the same one of the query.
 * @param folder whose file it is; `index` is its number there.
 */
export async function receive(
  ingest: Ingest,
  request: FastifyRequest,
  given: Readonly<Record<string, unknown>>,
  folder?: string,
): Promise<Received> {
  const told = toldDigests(request)
  const { source, fileName, fields, size } = await openBody(request)
  const all: Readonly<Record<string, unknown>> = { ...given, ...fields }
  const { index, ...others } = all
  const file = readFields(folder === undefined ? all : others, ['wait'])
  const number = folder === undefined || index === undefined ? undefined : countOf('index', index)
  const name = file.name ?? fileName ?? 'upload.csv'
  const delivery = { ...file, name, source, size, told, ...(folder !== undefined && { set: { id: folder, number } }) }
  return await ingest.uploads.receive(principal(request), delivery, idempotencyKey(request))
}
