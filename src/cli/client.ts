/** A client of the service's HTTP API: what `push` and `tasks` need of it. */
import { open } from 'node:fs/promises'
import type { z } from 'zod'
import type { Config } from '../config.ts'
import { AppError, type ErrorCode, errorCodes, errnoOf } from '../errors.ts'
import type { problemSchema, taskSchema, uploadSchema } from '../http/schemas.ts'

export type TaskAnswer = z.infer<typeof taskSchema>
export type UploadAnswer = z.infer<typeof uploadSchema>

/** Paths begin with `/v1`. Every call throws AppError: what the service answered, or `unavailable` when none did. */
export interface Client {
  readonly url: string
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  /** Streams a file as the body. `onProgress` has the bytes handed over and all there are, null for a pipe. */
  upload<T>(path: string, file: string, onProgress: (done: number, total: number | null) => void): Promise<T>
  download(path: string): Promise<ReadableStream<Uint8Array>>
  /** The data of server-sent events (WHATWG HTML, 9.2), parsed; ends when the service ends the stream. */
  events<T>(path: string): AsyncGenerator<T>
}

type Settings = Pick<Config, 'URL' | 'PORT'>

export function createClient({ URL: configured, PORT: port }: Settings, signal: AbortSignal): Client {
  const url = configured ?? `http://127.0.0.1:${port}`

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      response = await fetch(url + path, { ...init, signal })
    } catch (error) {
      throw signal.aborted ? error : unreachable(url, error)
    }
    if (response.ok) return response
    throw await refusal(url, response)
  }

  async function json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await request(path, init)
    try {
      return (await response.json()) as T
    } catch (error) {
      throw signal.aborted ? error : unreachable(url, error)
    }
  }

  return {
    url,
    get: (path) => json(path),
    post: (path, body) =>
      json(path, {
        method: 'POST',
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),

    async upload(path, file, onProgress) {
      await using handle = await openInput(file)
      const stat = await handle.stat()
      if (stat.isDirectory()) throw new AppError('invalid', `${file} is a directory. Give the files in it.`)
      const total = stat.isFile() ? stat.size : null
      async function* body(): AsyncGenerator<Uint8Array> {
        let done = 0
        for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 18, autoClose: false })) {
          yield chunk as Buffer
          done += (chunk as Buffer).length
          onProgress(done, total)
        }
      }
      return await json(path, {
        method: 'POST',
        body: ReadableStream.from(body()),
        duplex: 'half',
        headers: { 'content-type': 'text/csv', ...(total !== null && { 'content-length': String(total) }) },
      })
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

async function openInput(file: string) {
  try {
    return await open(file)
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT')
      throw new AppError('not_found', `There is no file ${file}. Check the path.`, { cause })
    throw new AppError('invalid', `${file} cannot be read (${errnoOf(cause)}).`, { cause })
  }
}

function unreachable(url: string, error: unknown): AppError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (errnoOf(cause) === 'ECONNREFUSED') {
    const message = `No Rowmill answers at ${url}. Start it with \`npm start\`, or set ROWMILL_URL to where it is.`
    return new AppError('unavailable', message, { cause })
  }
  const reason = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause))
  return new AppError('unavailable', `The connection to ${url} broke (${reason}). Check ROWMILL_URL and try again.`, {
    cause,
  })
}

async function refusal(url: string, response: Response): Promise<AppError> {
  const strange = new AppError(
    'unavailable',
    `What answers at ${url} is no Rowmill (HTTP ${response.status}). Check ROWMILL_URL.`,
  )
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) return strange
  const { code, detail, details } = (await response.json()) as z.infer<typeof problemSchema>
  if (code === 'internal') return new AppError('crashed', `Rowmill at ${url} had an internal error; its log says more.`)
  return new AppError(isCode(code) ? code : 'invalid', detail, details === undefined ? {} : { details })
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text)
}
