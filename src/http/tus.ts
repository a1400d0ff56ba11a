/**
 * Uploads that go on after a broken connection. Source: the tus protocol 1.0.0, https://tus.io/protocols/resumable-upload,
 * with creation, creation-with-upload, expiration, termination and checksum.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { type Checksum, type ChecksumAlgorithm, checksumAlgorithms } from '../ingest/checksums.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Upload } from '../model.ts'
import { plain } from './body.ts'
import { named, readFields } from './fields.ts'
import { idempotencyKey, principal } from './request.ts'
import { idParams, problems } from './schemas.ts'
import { showUpload } from './upload-schemas.ts'

const version = '1.0.0'
const bodyType = 'application/offset+octet-stream'
const extensions = 'creation,creation-with-upload,expiration,termination,checksum'

/** Whether a client speaks tus: its requests say so, but for the first question. */
export function isTus({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return headers['tus-resumable'] !== undefined
}

export function tusRoutes(ingest: Ingest): FastifyPluginAsyncZod {
  const { uploads, limits } = ingest

  async function append(request: FastifyRequest, reply: FastifyReply, id: string) {
    refuseOtherVersion(request, reply)
    const offset = bytesIn(request, 'upload-offset')
    if (offset === undefined) throw new AppError('invalid', 'Upload-Offset is missing: where these bytes begin.')
    if (request.headers['content-type'] !== bodyType) {
      throw new AppError('unsupported', `The Content-Type of these bytes must be ${bodyType}.`)
    }
    const stretch = { source: plain(request.raw), offset, checksum: checksumOf(request) }
    const upload = await uploads.append(principal(request), id, stretch)
    return await answerWith(reply, upload, 204)
  }

  async function terminate(request: FastifyRequest, reply: FastifyReply, id: string) {
    if (isTus(request)) refuseOtherVersion(request, reply)
    await uploads.remove(principal(request), id)
    return await reply.code(204).send(null)
  }

  return async (app) => {
    app.options(
      '/v1/uploads',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'tusOptions',
          summary: 'What of tus is spoken here',
          response: { 204: z.null(), ...problems },
        },
      },
      async (_request, reply) => {
        void reply.code(204).headers({
          'tus-resumable': version,
          'tus-version': version,
          'tus-extension': extensions,
          'tus-max-size': limits.maxUpload,
          'tus-checksum-algorithm': checksumAlgorithms.join(','),
        })
        return await reply.send(null)
      },
    )

    app.head(
      '/v1/uploads/:id',
      {
        config: { swagger: { exposeHeadRoute: true } },
        schema: {
          tags: ['uploads'],
          operationId: 'resumeUpload',
          summary: 'Where an upload goes on: Upload-Offset. Whoever was at it is cut off',
          params: idParams,
          response: { 200: z.null(), ...problems },
        },
      },
      async (request, reply) => {
        if (isTus(request)) refuseOtherVersion(request, reply)
        void reply.header('cache-control', 'no-store')
        const upload = await uploads.resume(principal(request), request.params.id)
        return await answerWith(reply, upload, 200)
      },
    )
    app.patch(
      '/v1/uploads/:id',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'appendToUpload',
          summary: 'Send the bytes from Upload-Offset on',
          consumes: [bodyType],
          params: idParams,
          body: z.unknown().meta({ type: 'string', format: 'binary' }),
          response: { 204: z.null().describe('Stored for good; complete with the last.'), ...problems },
        },
      },
      (request, reply) => append(request, reply, request.params.id),
    )
    app.delete(
      '/v1/uploads/:id',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'deleteUpload',
          summary: 'Delete an upload that no task needs any more',
          params: idParams,
          response: { 204: z.null(), ...problems },
        },
      },
      (request, reply) => terminate(request, reply, request.params.id),
    )
    app.post(
      '/v1/uploads/:id',
      {
        schema: {
          tags: ['uploads'],
          operationId: 'overrideMethod',
          summary: 'PATCH or DELETE, named by X-HTTP-Method-Override, for clients that cannot send them',
          consumes: [bodyType],
          params: idParams,
          body: z.unknown().meta({ type: 'string', format: 'binary' }),
          response: { 204: z.null(), ...problems },
        },
      },
      async (request, reply) => {
        const method = request.headers['x-http-method-override']
        if (isTus(request)) void reply.header('tus-resumable', version)
        if (method === 'PATCH') return await append(request, reply, request.params.id)
        if (method === 'DELETE') return await terminate(request, reply, request.params.id)
        void reply.header('allow', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS')
        throw new AppError('method_not_allowed', 'POST goes to /v1/uploads; here it needs X-HTTP-Method-Override.')
      },
    )
  }
}

/** Begins an upload, and takes its first bytes where they come along. */
export async function createByTus(
  { uploads }: Ingest,
  request: FastifyRequest,
  reply: FastifyReply,
  query: Readonly<Record<string, unknown>>,
) {
  refuseOtherVersion(request, reply)
  refuseConcatenation(request)
  const size = bytesIn(request, 'upload-length')
  if (size === undefined) {
    throw new AppError('length_required', 'Upload-Length is missing: how many bytes there will be in all.')
  }
  const checksum = checksumOf(request)
  const { name, ...file } = readFields({ ...query, ...readMetadata(request.headers['upload-metadata']) })
  const wanted = { ...file, size, name: name ?? 'upload.csv' }
  const key = idempotencyKey(request)
  const begun = await uploads.begin(principal(request), wanted, key)
  const comesAlong = request.headers['content-type'] === bodyType
  const stretch = { source: comesAlong ? plain(request.raw) : none(), offset: 0, checksum }
  // An upload of no bytes has all of them.
  const isToAppend = begun.state === 'open' && begun.bytes === 0 && (comesAlong || size === 0)
  const upload = isToAppend
    ? await uploads.append(principal(request), begun.id, stretch).catch(async (error: unknown) => {
        if (key !== undefined) return await goneOn(error)
        // Who is not told where it is cannot go on with it.
        await uploads.remove(principal(request), begun.id).catch((err: unknown) => {
          request.log.warn({ err, upload: begun.id }, 'could not remove what is left of a failed upload')
        })
        throw error
      })
    : begun
  void reply.header('location', `/v1/uploads/${upload.id}`)
  void reply.code(201).headers(headersOf(upload))
  return { upload: showUpload(upload) }

  /** The same request has come on another connection: whichever of them has brought more, both are told how far it is. */
  async function goneOn(error: unknown): Promise<Upload> {
    if (error instanceof AppError && error.code === 'conflict') return await uploads.get(principal(request), begun.id)
    throw error
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

async function answerWith(reply: FastifyReply, upload: Upload, status: 200 | 204): Promise<FastifyReply> {
  return await reply.code(status).headers(headersOf(upload)).send(null)
}

function headersOf({ bytes, size, state, expiresAt, task }: Upload): Record<string, string> {
  return {
    'tus-resumable': version,
    'upload-offset': String(bytes),
    ...(size !== null && { 'upload-length': String(size) }),
    ...(state === 'open' && { 'upload-expires': new Date(expiresAt).toUTCString() }),
    ...(task !== null && { 'rowmill-task': task }),
  }
}

function refuseOtherVersion({ headers }: FastifyRequest, reply: FastifyReply): void {
  void reply.header('tus-resumable', version)
  if (headers['tus-resumable'] === version) return
  void reply.header('tus-version', version)
  throw new AppError('precondition_failed', `Tus-Resumable must be ${version}.`)
}

/**
 * An extension of tus that is not spoken here: each part would be taken for a file of its own.
 * @throws {AppError} invalid
 */
function refuseConcatenation({ headers }: FastifyRequest): void {
  if (headers['upload-concat'] === undefined) return
  throw new AppError(
    'invalid',
    'Upload-Concat is not spoken here. Send the file as one upload, or its pieces to /v1/uploads/{id}/parts/{n}.',
  )
}

/** @throws {AppError} invalid */
function bytesIn({ headers }: FastifyRequest, name: 'upload-offset' | 'upload-length'): number | undefined {
  const text = headers[name]
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(String(text))) return Number(text)
  throw new AppError('invalid', `${name} must be a number of bytes.`)
}

/** @throws {AppError} invalid (the algorithm, or what tus has no use for) */
function checksumOf({ headers }: FastifyRequest): Checksum | undefined {
  if (headers['content-digest'] !== undefined || headers['repr-digest'] !== undefined) {
    throw new AppError('invalid', 'A digest of what comes by tus is not compared. Send Upload-Checksum.')
  }
  const header = headers['upload-checksum']
  if (header === undefined) return undefined
  const [name = '', base64 = '', ...more] = String(header).split(' ')
  const algorithm = checksumAlgorithms.find((one) => one === name)
  if (algorithm === undefined) {
    throw new AppError(
      'invalid',
      `Upload-Checksum: ${name} is not known here. There are ${checksumAlgorithms.join(', ')}.`,
    )
  }
  const digest = Buffer.from(base64, 'base64')
  if (more.length === 0 && digest.length === digestBytes[algorithm]) return { algorithm, digest }
  throw new AppError('invalid', `Upload-Checksum must be ${algorithm}, a space, and the digest in Base64.`)
}

const digestBytes: Readonly<Record<ChecksumAlgorithm, number>> = { sha256: 32, sha1: 20, sha512: 64, md5: 16 }

/**
 * `filename d29ybGQ=,pipeline bG9hZA==`, as fields. Clients send what they know of a file, so what is no field of ours does
 * not count. A key that comes twice has no meaning in tus, and the wrong one of two could win.
 * @throws {AppError} invalid
 */
function readMetadata(header: string | string[] | undefined): Record<string, string> {
  const found: Record<string, string> = {}
  for (const pair of String(header ?? '').split(',')) {
    const [, key, base64 = ''] = /^\s*([^\s,]+)(?: ([A-Za-z0-9+/]*={0,2}))?\s*$/.exec(pair) ?? []
    if (key !== undefined && Object.hasOwn(found, key)) {
      throw new AppError('invalid', `Upload-Metadata has ${key} twice. Tell a list in the query, or send pieces.`)
    }
    if (key !== undefined) found[key] = Buffer.from(base64, 'base64').toString()
    else if (pair.trim() !== '') {
      throw new AppError(
        'invalid',
        'Upload-Metadata must be pairs of a key and a value in Base64, set apart by commas.',
      )
    }
  }
  const { filename, ...others } = found
  const ours = Object.entries(others).filter(([key]) => Object.hasOwn(named, key) || key.startsWith('param.'))
  return { ...(filename !== undefined && { name: filename }), ...Object.fromEntries(ours) }
}
