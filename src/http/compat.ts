/**
 * The paths and words of a system that Rowmill replaces (a task manager with a data processor), so that its clients
 * need not change. Thin: the same functions as every other door.
 */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { TaskState } from '../model.ts'
import { principal } from './request.ts'
import { sendOutput } from './results.ts'
import { problems } from './schemas.ts'
import { receive } from './uploads.ts'

const pipeline = 'song-plays'
const output = 'totals'

/** Its clients poll until they read DONE, FAILED or CANCELLED. */
const statuses = {
  queued: 'RECEIVED',
  running: 'PROCESSING',
  succeeded: 'DONE',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
} as const satisfies Record<TaskState, string>

const taskParams = z.object({ task_id: z.string() })

export function compatRoutes(ingest: Ingest): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/data_processor/upload',
      {
        schema: {
          tags: ['compat'],
          operationId: 'compatUpload',
          summary: `Send a CSV to the pipeline ${pipeline}`,
          consumes: ['multipart/form-data', 'text/csv'],
          body: z.unknown().meta({ type: 'string', format: 'binary' }),
          response: { 202: z.object({ task_id: z.string() }), ...problems },
        },
      },
      async (request, reply) => {
        const { task } = await receive(ingest, request, { pipeline })
        if (task === undefined) throw new AppError('internal', 'Internal error')
        return reply.code(202).send({ task_id: task.id })
      },
    )
    app.get(
      '/v1/tasks/status/:task_id',
      {
        schema: {
          tags: ['compat'],
          operationId: 'compatStatus',
          summary: 'How far it is',
          params: taskParams,
          response: { 200: z.object({ task_id: z.string(), status: z.enum(statuses) }), ...problems },
        },
      },
      async (request) => {
        const { id, state } = await ingest.tasks.get(principal(request), request.params.task_id)
        return { task_id: id, status: statuses[state] }
      },
    )
    app.get(
      '/v1/data_processor/download/:task_id',
      {
        schema: {
          tags: ['compat'],
          operationId: 'compatDownload',
          summary: 'The totals, once it is DONE; 409 before',
          params: taskParams,
          response: {
            200: { description: 'The totals.', content: { 'text/csv': { schema: z.unknown() } } },
            ...problems,
          },
        },
      },
      async (request, reply) => {
        const found = await ingest.results.output(principal(request), request.params.task_id, output)
        return sendOutput(found, request, reply)
      },
    )
  }
}
