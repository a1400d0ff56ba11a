import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { openBody } from './body.ts'
import { principal } from './request.ts'
import { idParams, problems, wait } from './schemas.ts'
import { answering, received } from './uploads.ts'

const named = {
  name: z.string().optional().describe('What the file is called. Default: its name in the form, else upload.csv.'),
}
const formSchema = z.strictObject(named)

/** @param closing aborted when the server is about to close. */
export function correctionRoutes(ingest: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  const answer = answering(ingest, closing)
  return async (app) => {
    app.post(
      '/v1/tasks/:id/corrections',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'correctTask',
          summary: 'Send the fixable rejects of a task back, corrected',
          consumes: ['text/csv', 'multipart/form-data'],
          params: idParams,
          querystring: formSchema.extend({ wait: wait.optional() }),
          body: z.unknown().meta({
            type: 'string',
            format: 'binary',
            description: 'The file itself, or a form with it; name may stand before it as a field.',
          }),
          response: {
            200: received.describe('Stored, and the task has ended while the client waited.'),
            202: received.describe('Stored, and a task is on its way.'),
            ...problems,
          },
        },
      },
      async (request, reply) => {
        const { wait: seconds, ...query } = request.query
        const { source, fileName, fields, size } = await openBody(request)
        const form = formSchema.safeParse({ ...query, ...fields })
        if (!form.success) throw new AppError('invalid', 'Only name goes into the form here, once, before the file.')
        const name = form.data.name ?? fileName ?? 'upload.csv'
        const delivery = { name, source, size, corrects: request.params.id }
        const { upload, task } = await ingest.uploads.receive(principal(request), delivery)
        if (task === undefined) throw new AppError('internal', 'Internal error')
        return answer(request, reply, { upload, task }, seconds)
      },
    )
  }
}
