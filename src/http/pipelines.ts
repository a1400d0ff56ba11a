import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import { pipelineSchema, problems, showPipeline } from './schemas.ts'

/** Pipelines are the operator's: the same for everybody, so there is nobody to authorize. */
export function pipelineRoutes({ pipelines }: Pick<Ingest, 'pipelines'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/pipelines',
      {
        schema: {
          tags: ['pipelines'],
          operationId: 'listPipelines',
          summary: 'What can be run',
          response: { 200: z.object({ pipelines: z.array(pipelineSchema) }), ...problems },
        },
      },
      async () => ({ pipelines: pipelines.list().map(showPipeline) }),
    )
    app.get(
      '/v1/pipelines/:name',
      {
        schema: {
          tags: ['pipelines'],
          operationId: 'getPipeline',
          summary: 'One pipeline: its params, inputs and outputs',
          params: z.object({ name: z.string() }),
          response: { 200: pipelineSchema, ...problems },
        },
      },
      async (request) => showPipeline(pipelines.get(request.params.name)),
    )
  }
}
