import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply } from 'fastify'
import type { z } from 'zod'
import { AppError, asAppError, type ErrorCode, errorCodes, errnoOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { problemSchema } from './schemas.ts'

const problemType = 'application/problem+json'

/** On every answer: no browser is to guess that it is a page. */
export const safeHeaders = { 'x-content-type-options': 'nosniff' } as const

const retryAfterSeconds = 5

/** RFC 9457. What `internal` was about stays in the log. */
function toProblem({ code, message, details }: AppError): z.input<typeof problemSchema> {
  const { status } = errorCodes[code]
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? code,
    status,
    detail: code === 'internal' ? 'Internal error' : message,
    code,
    ...(details !== undefined && code !== 'internal' && { details }),
  }
}

/** Answers with whatever was thrown. */
export function sendProblem(thrown: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const error = translate(thrown)
  const problem = toProblem(error)
  const where = { method: reply.request.method, url: reply.request.url, code: error.code }
  if (problem.status >= 500) log.error({ ...where, err: error.cause ?? error }, error.message)
  else log.debug({ ...where, err: error }, 'refused')
  if (error.code === 'unavailable') void reply.header('retry-after', retryAfterSeconds)
  // Sent as text: the answer to a failure must not depend on a route's schema.
  return reply.code(problem.status).headers(safeHeaders).type(problemType).send(JSON.stringify(problem))
}

/** Fastify's own refusals in our words: the request's body is `unprocessable`, everything else about it `invalid`. */
function translate(thrown: unknown): AppError {
  if (!isFastifyError(thrown)) return asAppError(thrown)
  if (thrown.validation !== undefined) {
    const problems = thrown.validation.map(({ instancePath, message = '' }) => ({
      where: instancePath.slice(1).replaceAll('/', '.'),
      message,
    }))
    const part = thrown.validationContext === 'querystring' ? 'query' : (thrown.validationContext ?? 'request')
    const lines = problems.map(({ where, message }) => (where === '' ? message : `${where}: ${message}`))
    return new AppError(part === 'body' ? 'unprocessable' : 'invalid', `The ${part} is refused. ${lines.join('. ')}`, {
      details: { problems },
    })
  }
  const status = thrown.statusCode ?? 500
  if (status >= 500) return asAppError(thrown)
  return new AppError(codeOf(status), thrown.message, { cause: thrown })
}

function isFastifyError(thrown: unknown): thrown is FastifyError {
  return thrown instanceof Error && !(thrown instanceof AppError) && ('statusCode' in thrown || 'validation' in thrown)
}

function codeOf(status: number): ErrorCode {
  const codes = Object.keys(errorCodes) as ErrorCode[]
  return codes.find((code) => errorCodes[code].status === status) ?? 'invalid'
}

/** What is no HTTP, or too slow, never becomes a request: it is answered on the bare socket. */
export function answerClientError(error: Error, socket: Socket): void {
  if (errnoOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (errnoOf(error) === 'ERR_HTTP_REQUEST_TIMEOUT') answerTimeout(socket)
  else answerBare(socket, new AppError('invalid', 'The request is not valid HTTP, or its headers are too long.'))
}

/** RFC 9110, 10.1.1: what a client expects beyond `100-continue` nobody knows. */
export function refuseExpectation(response: ServerResponse): void {
  const problem = toProblem(new AppError('invalid', 'Nothing is known of what Expect asks for. Leave it out.'))
  const body = JSON.stringify({ ...problem, title: STATUS_CODES[417], status: 417 })
  const length = Buffer.byteLength(body)
  response.writeHead(417, { 'content-type': problemType, 'content-length': length, connection: 'close' }).end(body)
}

/** A request that does not come to its end is answered on the bare socket, too. */
export function answerTimeout(socket: Socket): void {
  answerBare(socket, new AppError('timeout', 'The request took too long to arrive. Send it again.'))
}

function answerBare(socket: Socket, error: AppError): void {
  const problem = toProblem(error)
  const body = JSON.stringify(problem)
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'x-content-type-options: nosniff',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}
