import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Ingest } from '../ingest/ingest.ts'
import type { Log } from '../log.ts'
import type { Role } from '../model.ts'
import type { Keeping } from '../entries.ts'
import { takeStreams } from './body.ts'
import type { RunRequest } from '../ingest/orders.ts'
import { compatRoutes } from './compat.ts'
import { watchConnections } from './connections.ts'
import { correctionRoutes } from './corrections.ts'
import { eventRoutes } from './events.ts'
import { folderRoutes } from './folders.ts'
import { checkOrigin } from './guard.ts'
import { directRoutes } from './direct.ts'
import { describe } from './openapi.ts'
import { partRoutes } from './parts.ts'
import { pipelineRoutes } from './pipelines.ts'
import { answerClientError, safeHeaders, sendProblem } from './problem.ts'
import { resultRoutes } from './results.ts'
import { answerUnrouted } from './routes.ts'
import { type Check, serviceRoutes } from './service.ts'
import { setRoutes } from './sets.ts'
import { taskRoutes } from './tasks.ts'
import { tusRoutes } from './tus.ts'
import { uploadRoutes } from './uploads.ts'

export interface ServerDeps {
  readonly ingest: Ingest
  /** Which routes there are; those of the service itself always. */
  readonly roles: ReadonlySet<Role>
  readonly keeping: Keeping
  readonly version: string
  /** What `/readyz` asks. */
  readonly checks: readonly Check[]
  /** What is done with the files of a folder (`/api/upload`) that does not say. */
  readonly folderRun: RunRequest
  readonly timeouts: Timeouts
  readonly log: Log
}

/** Milliseconds. */
export interface Timeouts {
  /** For a request's headers to come. */
  readonly headers: number
  /** After which a connection that carries nothing, in neither direction, is closed. */
  readonly idle: number
}

/** What a client may go on sending after it was refused, so that it comes to read the answer. */
const lingerMs = 10_000

/**
 * The API, not listening yet. `close()` ends whoever watches or waits for a task, and waits for all other requests:
 * who cannot wait for a long upload closes its connections with `server.closeAllConnections()`.
 * `swagger()` is the OpenAPI document: every route there is.
 */
export async function createServer(deps: ServerDeps): Promise<FastifyInstance> {
  const { ingest, roles, keeping, version, checks, folderRun, timeouts, log } = deps
  const app = fastify({
    // A legal upload may take hours. Who sends nothing at all is cut off, and so are slow headers.
    requestTimeout: 0,
    connectionTimeout: timeouts.idle,
    keepAliveTimeout: Math.min(72_000, timeouts.idle),
    // A request without a Host is refused by the guard, in the words that every refusal has.
    http: {
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      requireHostHeader: false,
      headersTimeout: timeouts.headers,
      connectionsCheckingInterval: Math.min(30_000, timeouts.headers / 2),
    },
    return503OnClosing: false,
    routerOptions: {
      // `curl -T - …/v1/uploads/` keeps the slash; names are percent-encoded in paths, nine characters for one.
      ignoreTrailingSlash: true,
      maxParamLength: 4096,
    },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => void sendProblem(error, reply, log),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, _request, reply) => sendProblem(error, reply, log))
  app.removeContentTypeParser('text/plain')
  watchConnections(app)
  answerUnrouted(app)
  takeEmptyJson(app)

  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(safeHeaders)
    checkOrigin(request)
  })
  app.addHook('onResponse', async (request, reply) => {
    linger(request)
    const { method, url } = request
    log.info({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered')
  })

  await describe(app, version)
  await app.register(async (scope) => {
    await takeStreams(scope)
    if (roles.has('upload')) {
      await scope.register(uploadRoutes(ingest, closing.signal))
      await scope.register(tusRoutes(ingest))
      await scope.register(partRoutes(ingest, closing.signal))
      await scope.register(directRoutes(ingest))
      await scope.register(folderRoutes(ingest, folderRun, closing.signal))
    }
    // Both are under `/v1/tasks`, though a file may come in.
    if (roles.has('tasks')) {
      await scope.register(correctionRoutes(ingest, closing.signal))
      await scope.register(compatRoutes(ingest))
    }
  })
  if (roles.has('upload')) await app.register(setRoutes(ingest))
  if (roles.has('tasks')) {
    await app.register(taskRoutes(ingest, closing.signal))
    await app.register(eventRoutes(ingest, closing.signal))
    await app.register(resultRoutes(ingest))
    await app.register(pipelineRoutes(ingest))
  }
  await app.register(serviceRoutes({ ingest, keeping, version, checks }))
  return app
}

/** RFC 9112, 9.6: closing at once could destroy the answer before the client, still sending, has read it. */
function linger({ raw }: FastifyRequest): void {
  if (raw.complete || raw.destroyed) return
  const timer = setTimeout(() => raw.destroy(), lingerMs).unref()
  raw.once('close', () => clearTimeout(timer))
  raw.unpipe()
  raw.resume()
}

/** Many clients name JSON as the type of every POST, also of one without a body: that is no body, not a broken one. */
function takeEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body, done)
  })
}
