import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Download } from '../ingest/results.ts'
import type { FileOutput, OutputFormat } from '../model.ts'
import { principal } from './request.ts'
import { idParams, problems } from './schemas.ts'

const mediaTypes: Readonly<Record<OutputFormat, string>> = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
}

const file = z.unknown().meta({ type: 'string', format: 'binary' })

const bytes = (description: string, types: readonly string[]) => ({
  description,
  content: Object.fromEntries(types.map((type) => [type, { schema: file }])),
})

const direct = z
  .enum(['true', 'false'], 'is true or false')
  .optional()
  .describe('Where the store has URLs of its own: answer with one, to get the file past the service.')

const elsewhere = z.null().describe('Where to get it, for some minutes; the same name and type. Only for `direct`.')

export function resultRoutes({ results }: Ingest): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/tasks/:id/outputs/:name',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'downloadOutput',
          summary: 'An output of a task that has succeeded',
          params: idParams.extend({ name: z.string() }),
          querystring: z.strictObject({ direct }),
          response: {
            307: elsewhere,
            200: bytes('The file. Its SHA-256 is in Repr-Digest and is its ETag.', [
              'text/csv',
              'application/x-ndjson',
              'application/vnd.apache.parquet',
            ]),
            ...problems,
          },
        },
      },
      async (request, reply) => {
        const output = await results.output(principal(request), request.params.id, request.params.name)
        return sendOutput(output, request, reply, request.query.direct === 'true')
      },
    )

    app.get(
      '/v1/tasks/:id/rejects',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'downloadRejects',
          summary: 'What a task has rejected, a line for every fault; or each record once, to be corrected',
          params: idParams,
          querystring: z.strictObject({
            format: z.enum(['faults', 'fixable']).default('faults').describe('fixable: the records, to be corrected.'),
            input: z.string().optional().describe('Of fixable: whose records, when several inputs have rejects.'),
            direct,
          }),
          response: { 307: elsewhere, 200: bytes('The rejects.', ['text/csv']), ...problems },
        },
      },
      async (request, reply) => {
        const { format, input } = request.query
        const isDirect = request.query.direct === 'true'
        const asked = [principal(request), request.params.id] as const
        if (format === 'fixable') {
          const fixable = await results.fixable(...asked, input)
          const as = { name: 'rejects.fixable.csv', type: mediaTypes.csv }
          return send(fixable, request, reply, as, isDirect)
        }
        if (input !== undefined) throw new AppError('invalid', 'input goes with ?format=fixable; leave it out.')
        const rejects = await results.rejects(...asked)
        return send(rejects, request, reply, { name: 'rejects.csv', type: mediaTypes.csv }, isDirect)
      },
    )
  }
}

export function sendOutput(
  output: Download<FileOutput>,
  request: FastifyRequest,
  reply: FastifyReply,
  isDirect = false,
): Promise<unknown> {
  const { name, format, sha256 } = output.file
  void reply.headers({
    etag: `"${sha256}"`,
    // RFC 9530
    'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
  })
  return send(output, request, reply, { name: `${name}.${format}`, type: mediaTypes[format] }, isDirect)
}

/** Always an attachment, so that no browser shows what somebody uploaded as a page. Names of outputs need no quoting. */
async function send(
  { file: { bytes: size }, open, direct: urlOf }: Download<{ readonly bytes: number }>,
  request: FastifyRequest,
  reply: FastifyReply,
  as: { readonly name: string; readonly type: string },
  isDirect: boolean,
): Promise<unknown> {
  // Such a URL is good for GET alone.
  const url = isDirect && request.method === 'GET' ? await urlOf(as) : undefined
  if (url !== undefined) return reply.header('cache-control', 'no-store').redirect(url, 307)
  const stream = await open()
  void reply
    .type(as.type)
    .headers({ 'content-length': size, 'content-disposition': `attachment; filename="${as.name}"` })
  // HEAD is told that the bytes are there; nobody reads them for it.
  return request.method === 'HEAD' ? stream.destroy() : stream
}
