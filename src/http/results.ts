import type { Readable } from 'node:stream'
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
          response: {
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
        return sendOutput(output, request, reply)
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
          }),
          response: { 200: bytes('The rejects.', ['text/csv']), ...problems },
        },
      },
      async (request, reply) => {
        const { format, input } = request.query
        const asked = [principal(request), request.params.id] as const
        if (format === 'fixable') {
          const fixable = await results.fixable(...asked, input)
          return send(fixable, request, reply, { fileName: 'rejects.fixable.csv', type: mediaTypes.csv })
        }
        if (input !== undefined) throw new AppError('invalid', 'input goes with ?format=fixable; leave it out.')
        const rejects = await results.rejects(...asked)
        return send(rejects, request, reply, { fileName: 'rejects.csv', type: mediaTypes.csv })
      },
    )
  }
}

export function sendOutput(
  output: Download<FileOutput>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { name, format, sha256 } = output.file
  void reply.headers({
    etag: `"${sha256}"`,
    // RFC 9530
    'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
  })
  return send(output, request, reply, { fileName: `${name}.${format}`, type: mediaTypes[format] })
}

/** Always an attachment, so that no browser shows what somebody uploaded as a page. Names of outputs need no quoting. */
async function send(
  { file: { bytes: size }, open }: Download<{ readonly bytes: number }>,
  request: FastifyRequest,
  reply: FastifyReply,
  { fileName, type }: { fileName: string; type: string },
): Promise<Readable> {
  const stream = await open()
  void reply.type(type).headers({ 'content-length': size, 'content-disposition': `attachment; filename="${fileName}"` })
  // HEAD is told that the bytes are there; nobody reads them for it.
  return request.method === 'HEAD' ? stream.destroy() : stream
}
