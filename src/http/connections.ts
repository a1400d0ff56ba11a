/** How connections are held and let go, below what the framework sees of them. */
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answerTimeout, refuseExpectation } from './problem.ts'

/** Requests of one connection that may wait for their answers: each costs memory until the client reads it. */
const mostUnanswered = 16

/**
 * - One that carries nothing for as long as the server's `connectionTimeout` is closed: with 408 while a body is awaited.
 *   While a request is worked on it is left alone; it is not the client who is silent.
 * - One that sends request upon request, and reads no answer, is closed.
 * - Who is refused amid a body may send on and read the answer, also if the connection was to be closed after it.
 */
export function watchConnections(app: FastifyInstance): void {
  const latest = new WeakMap<Socket, { readonly request: FastifyRequest; readonly reply: FastifyReply }>()
  const unanswered = new WeakMap<Socket, number>()

  app.addHook('onRequest', async (request, reply) => {
    const { socket } = request.raw
    latest.set(socket, { request, reply })
    const count = (unanswered.get(socket) ?? 0) + 1
    unanswered.set(socket, count)
    reply.raw.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1))
    if (count <= mostUnanswered) return
    socket.destroy()
    reply.hijack()
  })

  app.addHook('onSend', async ({ raw }, reply, payload) => {
    if (!raw.complete && !reply.raw.shouldKeepAlive) {
      // Node would close it both ways, and what is still coming would destroy the answer on its way.
      reply.raw.shouldKeepAlive = true
      reply.raw.once('finish', () => raw.socket.end())
    }
    return payload
  })

  app.server.on('timeout', (socket: Socket) => {
    const current = latest.get(socket)
    const isAwaited = current === undefined ? socket.bytesRead > 0 : !current.request.raw.complete
    const isAnswered = current?.reply.raw.headersSent === true
    if (current !== undefined && !isAwaited && !isAnswered) return
    if (!isAwaited || isAnswered) {
      socket.destroy()
      return
    }
    answerTimeout(socket)
    // Who is silent does not close it either, and what waits for the body is to know.
    socket.destroySoon()
  })

  app.server.on('checkExpectation', (_request, response) => refuseExpectation(response))
}
