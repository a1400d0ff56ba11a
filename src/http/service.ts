import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError, asAppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Keeping } from '../entries.ts'
import { mostParts } from '../model.ts'
import { maxNameLength } from '../ingest/uploads.ts'
import { maxPage, maxWait, problems } from './schemas.ts'

/** One thing that must be well for the service to do its work. */
export interface Check {
  readonly name: string
  /** Resolves when it is well; what it rejects with says what is not. */
  readonly check: () => Promise<void>
}

export interface ServiceDeps {
  readonly ingest: Pick<Ingest, 'limits' | 'direct'>
  readonly keeping: Keeping
  readonly version: string
  readonly checks: readonly Check[]
}

const count = z.int().nonnegative()

function finite(bytes: number): number | null {
  return Number.isFinite(bytes) ? bytes : null
}

export function serviceRoutes({ ingest, keeping, version, checks }: ServiceDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/limits',
      {
        schema: {
          tags: ['service'],
          operationId: 'getLimits',
          summary: 'What is refused beyond',
          response: {
            200: z.object({
              maxUploadBytes: count,
              maxUnpackedBytes: count.describe('What a compressed file may unpack to.'),
              maxPieces: count,
              directUploads: z.boolean().describe('Whether pieces can be PUT into the store itself.'),
              quotaBytes: count.nullable().describe('What all uploads may hold together; null for no limit.'),
              ownerQuotaBytes: count.nullable().describe('What the uploads of one owner may hold.'),
              keepIncompleteSeconds: count,
              keepFilesSeconds: count,
              keepIdempotencyKeysSeconds: count,
              diskReserveBytes: count.describe('Free space below which uploads are refused with 507.'),
              maxNameLength: count,
              maxWaitSeconds: count,
              maxPageSize: count,
            }),
            ...problems,
          },
        },
      },
      async () => ({
        maxUploadBytes: ingest.limits.maxUpload,
        maxUnpackedBytes: ingest.limits.maxUnpacked,
        maxPieces: mostParts,
        directUploads: ingest.direct,
        quotaBytes: finite(keeping.quota),
        ownerQuotaBytes: finite(keeping.ownerQuota),
        keepIncompleteSeconds: Math.round(keeping.incompleteMs / 1000),
        keepFilesSeconds: Math.round(keeping.filesMs / 1000),
        keepIdempotencyKeysSeconds: Math.round(keeping.receiptsMs / 1000),
        diskReserveBytes: ingest.limits.diskReserve,
        maxNameLength,
        maxWaitSeconds: maxWait,
        maxPageSize: maxPage,
      }),
    )
    app.get(
      '/v1/version',
      {
        schema: {
          tags: ['service'],
          operationId: 'getVersion',
          summary: 'Which Rowmill this is',
          response: { 200: z.object({ name: z.string(), version: z.string() }), ...problems },
        },
      },
      async () => ({ name: 'rowmill', version }),
    )
    app.get(
      '/livez',
      {
        schema: {
          tags: ['service'],
          operationId: 'livez',
          summary: 'Whether the process answers at all',
          response: { 200: z.object({ status: z.literal('ok') }), ...problems },
        },
      },
      async () => ({ status: 'ok' as const }),
    )
    app.get(
      '/readyz',
      {
        schema: {
          tags: ['service'],
          operationId: 'readyz',
          summary: 'Whether it can do its work; 503 names what keeps it from that',
          response: { 200: z.object({ status: z.literal('ok'), checks: z.array(z.string()) }), ...problems },
        },
      },
      async () => {
        const outcomes = await Promise.allSettled(checks.map(({ check }) => check()))
        const failed = checks.flatMap(({ name }, i) => {
          const outcome = outcomes[i]
          return outcome?.status === 'rejected' ? [{ name, cause: outcome.reason as unknown }] : []
        })
        if (failed.length === 0) return { status: 'ok' as const, checks: checks.map(({ name }) => name) }
        throw new AppError('unavailable', `Not ready: ${failed.map(({ name }) => name).join(', ')}.`, {
          cause: new AggregateError(failed.map(({ cause }) => cause)),
          details: { failed: failed.map(({ name, cause }) => ({ name, message: asAppError(cause).message })) },
        })
      },
    )
  }
}
