/**
 * Folders of pieces, on the paths of a system that Rowmill replaces (its clients split a huge file and never say that it is
 * whole). A folder is a set, whose every piece is a file and a task of its own; or, when it says so, one upload in pieces.
 */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { RunRequest } from '../ingest/orders.ts'
import { openBody } from './body.ts'
import { countOf, readFields } from './fields.ts'
import { putPiece, refuseWithPiece } from './parts.ts'
import { answering, receivedAnswers } from './received.ts'
import { idempotencyKey, principal } from './request.ts'
import { problems, wait } from './schemas.ts'
import { showUpload, uploadSchema } from './upload-schemas.ts'
import { receive } from './uploads.ts'

const others = z.union([z.string(), z.array(z.string())])

const folderSchema = z.object({
  folder_name: z.string().describe('What its pieces are sent to: /api/upload/{folder_name}.'),
  assembled: z.boolean().describe('Whether its pieces are one file.'),
})

const pieceAnswer = { 200: z.object({ upload: uploadSchema }).describe('A piece of a file is stored.') }
const folderParams = z.object({ folder: z.string() })

/**
 * @param usual what is done with the files of a folder that does not say.
 * @param closing aborted when the server is about to close.
 */
export function folderRoutes(ingest: Ingest, usual: RunRequest, closing: AbortSignal): FastifyPluginAsyncZod {
  const answer = answering(ingest, closing)

  return async (app) => {
    app.post(
      '/api/upload',
      {
        schema: {
          tags: ['compat'],
          operationId: 'createFolder',
          summary: 'Begin a folder for the pieces of a file',
          querystring: z
            .object({
              assemble: z.enum(['true', 'false']).optional().describe('Its pieces are one file. Default: one each.'),
              total: z.string().optional().describe('How many pieces there will be: they are one file then.'),
              name: z.string().optional().describe('What that file is called.'),
              pipeline: z.string().optional(),
            })
            .catchall(others),
          response: { 201: folderSchema, ...problems },
        },
      },
      async (request, reply) => {
        const { assemble, total, ...given } = request.query
        const { wish, name = 'upload.csv', ...file } = readFields(given, ['assemble', 'total'])
        const run = wish !== undefined && 'run' in wish ? wish.run : usual
        const assembled = assemble === 'true' || total !== undefined
        if (!assembled) refuseOfOneFile(given)
        const key = idempotencyKey(request)
        const pieces = total === undefined ? null : countOf('total', total)
        const { id } = assembled
          ? await ingest.uploads.begin(
              principal(request),
              { ...file, name, wish: { run }, comes: 'in pieces', pieces },
              key,
            )
          : await ingest.sets.create(principal(request), run, key)
        void reply.code(201).header('location', `/api/upload/${id}`)
        return { folder_name: id, assembled }
      },
    )
    app.post(
      '/api/upload/:folder',
      {
        schema: {
          tags: ['compat'],
          operationId: 'putIntoFolder',
          summary: 'Send a piece to a folder',
          consumes: ['multipart/form-data', 'text/csv', 'application/octet-stream'],
          params: folderParams,
          querystring: z
            .object({ index: z.string().optional(), name: z.string().optional(), wait: wait.optional() })
            .catchall(others),
          body: z.unknown().meta({
            type: 'string',
            format: 'binary',
            description: 'The piece itself, or a form with it; index may stand before it as a field.',
          }),
          response: { ...receivedAnswers, 200: z.union([receivedAnswers[200], pieceAnswer[200]]) },
        },
      },
      async (request, reply) => {
        const { folder } = request.params
        const { index, wait: seconds, ...given } = request.query
        const upload = await foundUpload(ingest, request, folder)
        if (upload === undefined) {
          const received = await receive(ingest, request, { ...given, ...(index !== undefined && { index }) }, folder)
          return await answer(request, reply, received, seconds)
        }
        const body = await openBody(request)
        const { index: told = index, name: _, ...more } = { ...given, ...body.fields }
        refuseWithPiece(more)
        const n = told === undefined ? undefined : countOf('index', told)
        return { upload: showUpload(await putPiece(ingest, request, folder, n, body)) }
      },
    )
    app.post(
      '/api/upload/:folder/complete',
      {
        schema: {
          tags: ['compat'],
          operationId: 'completeFolder',
          summary: 'Say that all pieces of the file have been sent',
          params: folderParams,
          querystring: z.strictObject({ wait: wait.optional() }),
          response: receivedAnswers,
        },
      },
      async (request, reply) => {
        const { folder } = request.params
        if ((await foundUpload(ingest, request, folder)) === undefined) {
          throw new AppError(
            'conflict',
            `Each piece of folder ${folder} is a file of its own; there is none to complete.`,
          )
        }
        const completed = await ingest.uploads.complete(principal(request), folder)
        return await answer(request, reply, completed, request.query.wait)
      },
    )
    app.get('/api/upload/docs', { schema: { hide: true } }, async (_request, reply) => reply.redirect('/docs'))
  }
}

/** The upload that a folder is; undefined for one that is a set. */
async function foundUpload({ uploads, sets }: Ingest, request: Parameters<typeof principal>[0], folder: string) {
  try {
    return await uploads.get(principal(request), folder)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error
    await sets.get(principal(request), folder).catch((cause: unknown) => {
      const isAbsent = cause instanceof AppError && cause.code === 'not_found'
      throw isAbsent
        ? new AppError('not_found', `There is no folder ${folder}. Begin one with POST /api/upload.`)
        : cause
    })
    return undefined
  }
}

/** @throws {AppError} invalid, for what says something of a file where each piece is one */
function refuseOfOneFile(given: Readonly<Record<string, unknown>>): void {
  const field = ['name', 'sha256', 'input', 'set'].find((one) => given[one] !== undefined)
  if (field === undefined) return
  throw new AppError(
    'invalid',
    `${field} is of one file, and each piece of this folder is one. Say assemble=true, or total=N.`,
  )
}
