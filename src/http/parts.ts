/** A file that comes in pieces, in any order: each under a number of its own. */
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Upload } from '../model.ts'
import { type Incoming, openBody } from './body.ts'
import { toldDigests } from './digests.ts'
import { countOf, readFields } from './fields.ts'
import { idempotencyKey, principal } from './request.ts'
import { idParams, problems, wait } from './schemas.ts'
import { showUpload, uploadSchema } from './upload-schemas.ts'
import { answering, receivedAnswers } from './received.ts'

const partSchema = z.object({ n: z.int(), bytes: z.int(), sha256: z.string().describe('Hex.') }).meta({ id: 'Part' })

/**
 * @param parts how many, or `any`.
 * @throws {AppError} invalid
 */
export async function beginPieces(
  ingest: Ingest,
  request: FastifyRequest,
  parts: string,
  query: Readonly<Record<string, unknown>>,
): Promise<Upload> {
  refuseBody(request, 'With parts, nothing is sent but pieces. Send them to /v1/uploads/{id}/parts/{n}.')
  const { wait: _, ...given } = query
  const file = readFields(given, ['parts'])
  const pieces = parts === 'any' ? null : countOf('parts, where it is not “any”,', parts)
  const wanted = { ...file, name: file.name ?? 'upload.csv', comes: 'in pieces', pieces } as const
  return await ingest.uploads.begin(principal(request), wanted, idempotencyKey(request))
}

/** @param closing aborted when the server is about to close. */
export function partRoutes(ingest: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  const answer = answering(ingest, closing)
  return async (app) => {
    app.put(
      '/v1/uploads/:id/parts/:n',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'putPart',
          summary: 'Send a piece; the same number again replaces it',
          consumes: ['application/octet-stream', 'text/csv', 'multipart/form-data'],
          params: z.object({ id: z.string(), n: z.string() }),
          querystring: z.strictObject({}),
          body: z.unknown().meta({ type: 'string', format: 'binary' }),
          response: { 200: uploadSchema.describe('Stored for good; complete with the last.'), ...problems },
        },
      },
      async (request) => {
        const { id } = request.params
        const n = countOf('The number of a piece', request.params.n)
        const body = await openBody(request)
        refuseWithPiece(body.fields)
        return showUpload(await putPiece(ingest, request, id, n, body))
      },
    )
    app.get(
      '/v1/uploads/:id/parts',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'listParts',
          summary: 'What is stored of an upload',
          params: idParams,
          response: { 200: z.object({ parts: z.array(partSchema) }), ...problems },
        },
      },
      async (request) => {
        const parts = await ingest.uploads.parts(principal(request), request.params.id)
        return { parts: parts.map(({ n, bytes, sha256 }) => ({ n, bytes, sha256 })) }
      },
    )
    app.post(
      '/v1/uploads/:id/complete',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'completeUpload',
          summary: 'Close an upload whose pieces have all come; the same again answers the same',
          params: idParams,
          querystring: z.strictObject({ wait: wait.optional() }),
          response: receivedAnswers,
        },
      },
      async (request, reply) => {
        const completed = await ingest.uploads.complete(principal(request), request.params.id)
        return await answer(request, reply, completed, request.query.wait)
      },
    )
  }
}

/** @throws {AppError} invalid, when bytes come where none are taken */
export function refuseBody({ headers }: FastifyRequest, instead: string): void {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers
  if (length !== '0' || coding !== undefined) throw new AppError('invalid', instead)
}

/** @throws {AppError} invalid, for what says something of a file where it comes in pieces */
export function refuseWithPiece(given: Readonly<Record<string, unknown>>): void {
  const [field] = Object.keys(given)
  if (field === undefined) return
  throw new AppError('invalid', `${field} means nothing with a piece. Tell it when the file is begun, or leave it out.`)
}

/** Takes the body of a request as a piece. */
export async function putPiece(
  { uploads }: Pick<Ingest, 'uploads'>,
  request: FastifyRequest,
  id: string,
  n: number | undefined,
  { source }: Incoming,
): Promise<Upload> {
  return await uploads.putPiece(principal(request), id, { source, n, told: toldDigests(request) })
}
