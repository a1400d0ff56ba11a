import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { openBody } from './body.ts'
import { principal } from './request.ts'
import { idParams, wait } from './schemas.ts'
import { toldDigests } from './digests.ts'
import { answering, receivedAnswers } from './received.ts'
import { idempotencyKey } from './request.ts'

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
          response: receivedAnswers,
        },
      },
      async (request, reply) => {
        const { wait: seconds, ...query } = request.query
        const told = toldDigests(request)
        const { source, fileName, fields, size } = await openBody(request)
        const form = formSchema.safeParse({ ...query, ...fields })
        if (!form.success) throw new AppError('invalid', 'Only name goes into the form here, once, before the file.')
        const name = form.data.name ?? fileName ?? 'upload.csv'
        const delivery = { name, source, size, told, wish: { corrects: request.params.id } }
        const received = await ingest.uploads.receive(principal(request), delivery, idempotencyKey(request))
        return await answer(request, reply, received, seconds)
      },
    )
  }
}
