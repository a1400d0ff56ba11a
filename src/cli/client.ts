/** A client of the service's HTTP API: what `push` and `tasks` need of it. */
import type { z } from 'zod'
import type { Config } from '../config.ts'
import { AppError, type ErrorCode, errorCodes, errnoOf } from '../errors.ts'
import type { problemSchema, taskSchema } from '../http/schemas.ts'
import type { uploadSchema } from '../http/upload-schemas.ts'
import { lookAt, openSource, type Source } from './sending/source.ts'

export type TaskAnswer = z.infer<typeof taskSchema>
export type UploadAnswer = z.infer<typeof uploadSchema>

/** What the service has of an upload, in the order of the numbers. */
export interface StoredPart {
  readonly n: number
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/** A request whose body is sent while it is read. */
export interface Sending {
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Uint8Array>
  /** How long the body is; null where nobody knows. */
  readonly bytes: number | null
  readonly signal?: AbortSignal | undefined
}

/**
 * Paths begin with `/v1`. Every call throws AppError: what the service answered (`answered` tells more of that), or
 * `unavailable` when none did.
 */
export interface Client {
  readonly url: string
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  ask<T>(path: string, init: RequestInit): Promise<T>
  request(path: string, init: RequestInit): Promise<Response>
  /** A connection that takes nothing more for a minute counts as broken. */
  send(path: string, sending: Sending): Promise<Response>
  /** Sends a whole file in one request. `onBytes` is told how many of its bytes have been handed over. */
  upload<T>(
    path: string,
    file: Source | string,
    onBytes: (done: number) => void,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T>
  download(path: string): Promise<ReadableStream<Uint8Array>>
  /** The data of server-sent events (WHATWG HTML, 9.2), parsed; ends when the service ends the stream. */
  events<T>(path: string): AsyncGenerator<T>
}

/** What stands behind an error that an answer told. */
export interface Answered {
  readonly status: number
  readonly retryAfterMs: number
}

/** Undefined where there was no answer. */
export function answered(error: unknown): Answered | undefined {
  const cause = error instanceof AppError ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && 'retryAfterMs' in cause ? (cause as Answered) : undefined
}

const stallMs = 60_000

type Settings = Pick<Config, 'URL' | 'PORT'>

export function createClient({ URL: configured, PORT: port }: Settings, signal: AbortSignal): Client {
  const url = configured ?? `http://127.0.0.1:${port}`

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      const own = init.signal ?? undefined
      response = await fetch(url + path, {
        ...init,
        signal: own === undefined ? signal : AbortSignal.any([signal, own]),
      })
    } catch (error) {
      throw signal.aborted ? error : unreachable(url, error)
    }
    if (response.ok) return response
    throw await refusal(url, response)
  }

  async function read<T>(response: Response): Promise<T> {
    try {
      return (await response.json()) as T
    } catch (error) {
      throw signal.aborted ? error : unreachable(url, error)
    }
  }

  const json = async <T>(path: string, init?: RequestInit): Promise<T> => await read(await request(path, init))

  const client: Client = {
    url,
    request,
    ask: json,
    get: (path) => json(path),
    post: (path, body) =>
      json(path, {
        method: 'POST',
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),

    async send(path, { method, headers, body, bytes, signal: own }) {
      const stall = new AbortController()
      async function* watched(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          const watch = setTimeout(() => stall.abort(stalled(url)), stallMs)
          try {
            yield chunk
          } finally {
            clearTimeout(watch)
          }
        }
      }
      return await request(path, {
        method,
        headers: { ...headers, ...(bytes !== null && { 'content-length': String(bytes) }) },
        body: ReadableStream.from(watched()),
        duplex: 'half',
        // Only so does fetch not keep the whole body in memory, to send it again after a redirect.
        redirect: 'error',
        window: null,
        signal: own === undefined ? stall.signal : AbortSignal.any([stall.signal, own]),
      })
    },

    async upload(path, file, onBytes, headers = {}) {
      const source = typeof file === 'string' ? await lookAt(file) : file
      await using opened = await openSource(source)
      async function* body(): AsyncGenerator<Uint8Array> {
        let done = 0
        for await (const chunk of opened.bytes()) {
          yield chunk
          done += chunk.byteLength
          onBytes(done)
        }
      }
      const given = { 'content-type': 'text/csv', ...headers }
      return await read(await client.send(path, { method: 'POST', headers: given, body: body(), bytes: source.size }))
    },

    async download(path) {
      const { body } = await request(path)
      return body ?? ReadableStream.from([])
    },

    async *events<T>(path: string) {
      const { body } = await request(path, { headers: { accept: 'text/event-stream' } })
      let data = ''
      for await (const line of lines(body ?? ReadableStream.from([]), url, signal)) {
        if (line.startsWith('data:')) data += line.slice('data:'.length)
        if (line !== '' || data === '') continue
        yield JSON.parse(data) as T
        data = ''
      }
    },
  }
  return client
}

async function* lines(body: ReadableStream<Uint8Array>, url: string, signal: AbortSignal): AsyncGenerator<string> {
  let rest = ''
  try {
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      yield* parts
    }
  } catch (error) {
    throw signal.aborted ? error : unreachable(url, error)
  }
}

/** What keeps a body from being read is told as it is. */
function unreachable(url: string, error: unknown): AppError {
  if (error instanceof AppError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof AppError) return cause
  if (errnoOf(cause) === 'ECONNREFUSED') {
    const message = `No Rowmill answers at ${url}. Start it with \`npm start\`, or set ROWMILL_URL to where it is.`
    return new AppError('unavailable', message, { cause })
  }
  const reason = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause))
  return new AppError('unavailable', `The connection to ${url} broke (${reason}). Check ROWMILL_URL and try again.`, {
    cause,
  })
}

function stalled(url: string): AppError {
  return new AppError('unavailable', `Nothing has moved on the connection to ${url} for a minute. Try again.`)
}

async function refusal(url: string, response: Response): Promise<AppError> {
  const { status, headers } = response
  const cause: Answered = { status, retryAfterMs: Number(headers.get('retry-after') ?? 0) * 1000 || 0 }
  const isOurs = headers.get('content-type')?.startsWith('application/problem+json') === true
  // An answer to HEAD has no body.
  const text = isOurs ? await response.text().catch(() => '') : ''
  if (isOurs && text === '') {
    return new AppError(codeOf(status), `Rowmill at ${url} refuses this (HTTP ${status}).`, { cause })
  }
  if (!isOurs) {
    return new AppError('unavailable', `What answers at ${url} is no Rowmill (HTTP ${status}). Check ROWMILL_URL.`, {
      cause,
    })
  }
  const { code, detail, details } = JSON.parse(text) as z.infer<typeof problemSchema>
  if (code === 'internal') {
    return new AppError('crashed', `Rowmill at ${url} had an internal error; its log says more.`, { cause })
  }
  return new AppError(isCode(code) ? code : 'invalid', detail, { cause, ...(details !== undefined && { details }) })
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text)
}

function codeOf(status: number): ErrorCode {
  return (Object.keys(errorCodes) as ErrorCode[]).find((code) => errorCodes[code].status === status) ?? 'unavailable'
}
