/** How it is answered that a file was received. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Ingest } from '../ingest/ingest.ts'
import type { Received } from '../ingest/finish.ts'
import { isEnded } from '../model.ts'
import { patience, principal, tillGone } from './request.ts'
import { problems, showTask, taskSchema } from './schemas.ts'
import { showUpload, uploadSchema } from './upload-schemas.ts'

const received = z.object({
  upload: uploadSchema,
  task: taskSchema,
  duplicate: z.boolean().describe('Whether the task is an earlier one, which this would only repeat.'),
})

export const receivedAnswers = {
  200: received.describe('Stored, and the task has ended while the client waited.'),
  201: z.object({ upload: uploadSchema }).describe('Stored; or begun, for pieces and tus.'),
  202: received.describe('Stored, and a task is on its way.'),
  ...problems,
}

/**
 * Answers once its task has ended, if there is one and the client waits for it.
 * @param closing aborted when the server is about to close.
 */
export function answering({ tasks }: Pick<Ingest, 'tasks'>, closing: AbortSignal) {
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    { upload, task, duplicate }: Received,
    seconds: number | undefined,
  ) => {
    if (task === undefined) {
      void reply.code(201).header('location', `/v1/uploads/${upload.id}`)
      return { upload: showUpload(upload) }
    }
    const latest = await tasks.wait(principal(request), task.id, patience(request, seconds), tillGone(request, closing))
    void reply.code(isEnded(latest.state) ? 200 : 202).header('location', `/v1/tasks/${task.id}`)
    return { upload: showUpload(upload), task: showTask(latest), duplicate }
  }
}
