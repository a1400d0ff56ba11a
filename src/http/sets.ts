import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import { principal } from './request.ts'
import { idParams, page, problems } from './schemas.ts'
import { setSchema, showSet, showUpload, uploadSchema } from './upload-schemas.ts'

const contents = setSchema.extend({
  uploads: z.array(uploadSchema).describe('What has come, or is on its way.'),
  missing: z.object({
    inputs: z.array(z.string()).describe('Inputs of the pipeline that no complete file is for.'),
    files: z.int().nullable().describe('How many files are still to come; null where nobody has said.'),
  }),
})

export function setRoutes({ sets }: Ingest): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/sets',
      {
        schema: {
          tags: ['sets'],
          operationId: 'listSets',
          summary: 'Sets of uploads, newest first',
          querystring: z.strictObject(page),
          response: { 200: z.object({ sets: z.array(setSchema), next: z.string().nullable() }), ...problems },
        },
      },
      async (request) => {
        const { limit, before } = request.query
        const found = await sets.list(principal(request), { limit, before })
        const next = found.length < limit ? null : `/v1/sets?limit=${limit}&before=${found.at(-1)?.id}`
        return { sets: found.map(showSet), next }
      },
    )
    app.get(
      '/v1/sets/:id',
      {
        schema: {
          tags: ['sets'],
          operationId: 'getSet',
          summary: 'One set: what has come, and what is missing',
          params: idParams,
          response: { 200: contents, ...problems },
        },
      },
      async (request) => {
        const { set, uploads, missingInputs, missingFiles } = await sets.get(principal(request), request.params.id)
        const missing = { inputs: [...missingInputs], files: missingFiles }
        return { ...showSet(set), uploads: uploads.map(showUpload), missing }
      },
    )
    app.delete(
      '/v1/sets/:id',
      {
        schema: {
          tags: ['sets'],
          operationId: 'deleteSet',
          summary: 'Delete a set that has not closed, with its uploads',
          params: idParams,
          response: { 204: z.null(), ...problems },
        },
      },
      async (request, reply) => {
        await sets.remove(principal(request), request.params.id)
        return await reply.code(204).send(null)
      },
    )
  }
}
