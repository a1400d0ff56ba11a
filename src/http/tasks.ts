import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import { isEnded, type Task, taskStates } from '../model.ts'
import { idempotencyKey, patience, principal, tillGone } from './request.ts'
import { idParams, page, problems, showTask, submitSchema, taskSchema, wait } from './schemas.ts'

const waiting = z.strictObject({ wait: wait.optional() })

const created = {
  200: taskSchema.describe('It has ended while the client waited.'),
  202: taskSchema.describe('It is on its way.'),
  ...problems,
}

/** @param closing aborted when the server is about to close. */
export function taskRoutes({ tasks }: Ingest, closing: AbortSignal): FastifyPluginAsyncZod {
  const wantedEnd = (request: FastifyRequest, task: Task, seconds: number | undefined) =>
    tasks.wait(principal(request), task.id, patience(request, seconds), tillGone(request, closing))

  const answerCreated = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { task, duplicate }: { task: Task; duplicate: boolean },
    seconds: number | undefined,
  ) => {
    const latest = await wantedEnd(request, task, seconds)
    void reply.code(isEnded(latest.state) ? 200 : 202).header('location', `/v1/tasks/${task.id}`)
    return { ...showTask(latest), ...(duplicate && { duplicate }) }
  }

  return async (app) => {
    app.post(
      '/v1/tasks',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'submitTask',
          summary: 'Run a pipeline over uploads',
          querystring: waiting,
          body: submitSchema,
          response: created,
        },
      },
      async (request, reply) => {
        const submitted = await tasks.submit(principal(request), request.body, idempotencyKey(request))
        return answerCreated(request, reply, submitted, request.query.wait)
      },
    )

    app.get(
      '/v1/tasks',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'listTasks',
          summary: 'Tasks, newest first',
          querystring: z.strictObject({ ...page, state: z.enum(taskStates).optional() }),
          response: { 200: z.object({ tasks: z.array(taskSchema), next: z.string().nullable() }), ...problems },
        },
      },
      async (request) => {
        const { limit, before, state } = request.query
        const found = await tasks.list(principal(request), { limit, before, state })
        const more = state === undefined ? '' : `&state=${state}`
        const next = found.length < limit ? null : `/v1/tasks?limit=${limit}${more}&before=${found.at(-1)?.id}`
        return { tasks: found.map(showTask), next }
      },
    )

    app.get(
      '/v1/tasks/:id',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'getTask',
          summary: 'One task; 200 whatever its outcome',
          params: idParams,
          querystring: waiting,
          response: { 200: taskSchema, ...problems },
        },
      },
      async (request) => {
        const task = await tasks.get(principal(request), request.params.id)
        const latest = await wantedEnd(request, task, request.query.wait)
        return { ...showTask(latest), family: await tasks.family(latest) }
      },
    )

    app.post(
      '/v1/tasks/:id/cancel',
      {
        schema: {
          tags: ['tasks'],
          operationId: 'cancelTask',
          summary: 'Cancel a task that has not ended',
          params: idParams,
          response: { 200: taskSchema, ...problems },
        },
      },
      async (request) => showTask(await tasks.cancel(principal(request), request.params.id)),
    )

    const moves = {
      retry: { operationId: 'retryTask', summary: 'Do what an ended task did again, as a new task' },
      undo: {
        operationId: 'undoTask',
        summary: 'Take the rows of a task out of their tables again, by a new task',
      },
    } as const
    for (const move of ['retry', 'undo'] as const) {
      app.post(
        `/v1/tasks/:id/${move}`,
        { schema: { tags: ['tasks'], ...moves[move], params: idParams, querystring: waiting, response: created } },
        async (request, reply) => {
          const task = await tasks[move](principal(request), request.params.id, idempotencyKey(request))
          return answerCreated(request, reply, { task, duplicate: false }, request.query.wait)
        },
      )
    }
  }
}
