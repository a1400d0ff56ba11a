/** Pieces that clients put into the store themselves: they ask where, and say when it is done. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import { countOf, named } from './fields.ts'
import { refuseBody } from './parts.ts'
import { principal } from './request.ts'
import { iso, problems, time } from './schemas.ts'
import { showUpload, uploadSchema } from './upload-schemas.ts'

const path = '/v1/uploads/:id/parts/:n/direct'
const params = z.object({ id: z.string(), n: z.string() })

const offerSchema = z
  .object({
    url: z.string().describe('Whoever has it may put the piece there, and can do nothing else with it.'),
    method: z.literal('PUT'),
    expiresAt: time.describe('The request to that URL must have begun by then.'),
  })
  .meta({ id: 'Offer' })

export function directRoutes({ uploads }: Ingest): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      path,
      {
        schema: {
          tags: ['uploads'],
          operationId: 'offerPart',
          summary: 'Ask for a URL of the store that a piece can be put at, past the service',
          params,
          querystring: z.strictObject({}),
          response: { 200: offerSchema, ...problems },
        },
      },
      async (request) => {
        const n = numberOf(request.params)
        refuseBody(request, 'Nothing is sent here. PUT the piece at the URL that this answers with.')
        const { url, expiresAt } = await uploads.offerPiece(principal(request), request.params.id, n)
        return { url, method: 'PUT' as const, expiresAt: iso(expiresAt) }
      },
    )
    app.put(
      path,
      {
        schema: {
          tags: ['uploads'],
          operationId: 'takePart',
          summary: 'Say that a piece was put at its URL; the same again answers the same',
          params,
          querystring: z.strictObject({ sha256: named.sha256.describe('What the piece must hash to, in hex.') }),
          response: { 200: uploadSchema.describe('Stored for good; complete with the last.'), ...problems },
        },
      },
      async (request) => {
        const n = numberOf(request.params)
        refuseBody(request, 'Nothing is sent here. POST answers with the URL that the piece is put at.')
        const { sha256 } = request.query
        return showUpload(await uploads.takePiece(principal(request), request.params.id, { n, sha256 }))
      },
    )
  }
}

function numberOf({ n }: z.infer<typeof params>): number {
  return countOf('The number of a piece', n)
}
