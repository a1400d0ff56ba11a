import type { IncomingMessage } from 'node:http'
import multipart, { type Multipart, type MultipartFile } from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import { release } from '../release.ts'

/** A file on its way in: plain body or form, it looks the same from here on. */
export interface Incoming {
  readonly source: AsyncIterable<Uint8Array>
  /** Its name in the form. */
  readonly fileName: string | undefined
  /** Fields of the form that came before it; a field that came twice has both values. */
  readonly fields: Readonly<Record<string, string | string[]>>
  /** Its size, where the request tells. */
  readonly size: number | undefined
}

const mostFields = 100

/** Leaves every body in this scope unread, whatever its type, so that handlers can stream it. Bytes are counted later. */
export async function takeStreams(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(multipart, {
    limits: { fileSize: Number.POSITIVE_INFINITY, fieldSize: 65_536, fields: mostFields, parts: mostFields + 2 },
  })
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

/** @throws {AppError} invalid, unsupported */
export async function openBody(request: FastifyRequest): Promise<Incoming> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
  // Compressed files are taken as they are, and so are those that a client calls compressed on their way.
  if (!['identity', 'gzip', 'x-gzip', 'zstd'].includes(encoding)) {
    throw new AppError(
      'unsupported',
      `Content-Encoding ${encoding} is not undone here. Send the file as it is, or in gzip.`,
    )
  }
  // It would be a part of a file, and be taken for all of it (RFC 9110, 14.5).
  if (request.headers['content-range'] !== undefined) {
    throw new AppError(
      'invalid',
      'Content-Range is not taken: this brings a whole file. Send all of it; by tus or in pieces, it goes on where it broke off.',
    )
  }
  if (request.isMultipart()) {
    if (request.headers['content-digest'] !== undefined || request.headers['repr-digest'] !== undefined) {
      throw new AppError(
        'invalid',
        'A digest of a whole form is not compared. Send the file as the body, or its sha256.',
      )
    }
    return openForm(request)
  }
  const length = request.headers['content-length']
  return {
    source: plain(request.raw),
    fileName: undefined,
    fields: {},
    size: length === undefined ? undefined : Number(length),
  }
}

/** The bytes of a request as they come. A chunk is good until the next one is asked for. */
export async function* plain(raw: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // Whoever stops reading has an answer to give: the connection must outlive the iteration.
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      yield chunk as Buffer
      release(chunk as Buffer)
    }
  } catch (cause) {
    throw new AppError('invalid', 'The connection broke off before the whole body had come. Send it again.', { cause })
  }
}

async function openForm(request: FastifyRequest): Promise<Incoming> {
  const parts = request.parts()
  const fields = new Map<string, string | string[]>()
  for (;;) {
    const part = await nextPart(parts)
    if (part === undefined) throw new AppError('invalid', 'The form has no file. Add one: curl -F file=@plays.csv …')
    if (part.type === 'file') {
      return {
        source: fileOf(part, parts),
        fileName: part.filename,
        fields: Object.fromEntries(fields),
        size: undefined,
      }
    }
    const { fieldname, value } = part
    if (typeof value !== 'string' || part.valueTruncated || part.fieldnameTruncated) {
      throw new AppError('invalid', `Field ${fieldname} of the form is too long, or no text.`)
    }
    const before = fields.get(fieldname)
    fields.set(fieldname, before === undefined ? value : [before, value].flat())
  }
}

/** Ends only when the whole form has come: a file is not accepted from a form that broke off. */
async function* fileOf(part: MultipartFile, parts: AsyncIterator<Multipart>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of part.file) yield chunk as Buffer
  } catch (cause) {
    throw brokenForm(cause)
  }
  const after = await nextPart(parts)
  if (after === undefined) return
  if (after.type === 'file') after.file.resume()
  throw new AppError('invalid', `The form goes on after the file, with ${after.fieldname}. Put fields first; one file.`)
}

async function nextPart(parts: AsyncIterator<Multipart>): Promise<Multipart | undefined> {
  try {
    const { done, value } = await parts.next()
    return done === true ? undefined : value
  } catch (cause) {
    throw brokenForm(cause)
  }
}

/** The parser's limits carry a status of their own; what has none is a form that is cut off or malformed. */
function brokenForm(cause: unknown): unknown {
  if (cause instanceof Error && 'statusCode' in cause) {
    if (cause.statusCode !== 413) return cause
    return new AppError('too_large', `A form may have one file, and ${mostFields} fields before it. Send fewer.`, {
      cause,
    })
  }
  return new AppError('invalid', 'The form is cut off or malformed. Send it again.', { cause })
}
