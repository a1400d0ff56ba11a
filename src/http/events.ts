import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import type { Task } from '../model.ts'
import { principal, tillGone } from './request.ts'
import { idParams, problems, showTask } from './schemas.ts'

const heartbeatMs = 15_000

/** @param closing aborted when the server is about to close. */
export function eventRoutes({ tasks }: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/tasks/:id/events',
      {
        exposeHeadRoute: false,
        schema: {
          tags: ['tasks'],
          operationId: 'watchTask',
          summary: 'The task now and after every change until it has ended, as server-sent events',
          params: idParams,
          response: {
            200: {
              description:
                'Events `task`, whose data is a task as JSON. Comments in between keep the connection alive.',
              content: { 'text/event-stream': { schema: z.unknown().meta({ type: 'string' }) } },
            },
            ...problems,
          },
        },
      },
      async (request, reply) => {
        const { id } = await tasks.get(principal(request), request.params.id)
        const changes = tasks.watch(principal(request), id, tillGone(request, closing))
        return reply
          .type('text/event-stream')
          .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
          .send(Readable.from(eventsOf(changes, heartbeatMs)))
      },
    )
  }
}

/** Source: the HTML standard, server-sent events. A comment goes out when there has been nothing to tell for long. */
export async function* eventsOf(changes: AsyncIterator<Task, void>, quietMs: number): AsyncGenerator<string, void> {
  for (;;) {
    const change = changes.next()
    while (!(await settlesWithin(change, quietMs))) yield ': \n\n'
    const { done, value } = await change
    if (done === true) return
    yield `event: task\ndata: ${JSON.stringify(showTask(value))}\n\n`
  }
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = new AbortController()
  try {
    return await Promise.race([promise.then(() => true), sleep(ms, false, { signal: settled.signal })])
  } finally {
    settled.abort()
  }
}
