import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import { isEnded, type Task, type TaskState } from '../model.ts'
import type { NewReceipt, NewTask, Page } from '../entries.ts'
import { type Family, familyOf } from './corrections.ts'
import type { IngestDeps } from './deps.ts'
import { findTask, findUpload } from './find.ts'
import { once } from './keys.ts'
import { type OrderedFile, orderOf, type RunRequest, taskOf } from './orders.ts'
import { watch } from './watch.ts'

export interface InputRequest {
  readonly upload: string
  /** The pipeline's input it is for; undefined lets the names decide. */
  readonly input?: string | undefined
}

export interface Tasks {
  /**
   * A new task; or the earlier one that it would only repeat.
   * @param key the client's Idempotency-Key.
   * @throws {AppError} not_found, conflict (an upload that is not complete), unprocessable
   */
  submit(
    principal: Principal,
    request: RunRequest & { inputs: readonly InputRequest[] },
    key?: string,
  ): Promise<{ task: Task; duplicate: boolean }>
  /** @throws {AppError} not_found */
  get(principal: Principal, id: string): Promise<Task>
  /** What has become of its records, together with those that corrected its rejects; undefined for a task alone. */
  family(task: Task): Promise<Family | undefined>
  list(principal: Principal, page: Page & { state?: TaskState | undefined }): Promise<Task[]>
  /** @throws {AppError} not_found; conflict, when it has ended */
  cancel(principal: Principal, id: string): Promise<Task>
  /**
   * A new task that does the same again: same text of the pipeline, same params, same uploads.
   * @throws {AppError} not_found; conflict, when the old one has not ended or never had a file, an upload is gone, or it
   *   is a correction that came in, or another has
   */
  retry(principal: Principal, id: string, key?: string): Promise<Task>
  /**
   * A new task that takes the rows of an ended one out of their tables again.
   * @throws {AppError} not_found; conflict, when it has put none there, they can not be taken back, or have been
   */
  undo(principal: Principal, id: string, key?: string): Promise<Task>
  /** The task now and after every change, until it has ended or the signal is aborted. */
  watch(principal: Principal, id: string, signal: AbortSignal): AsyncGenerator<Task, void>
  /** The task once it has ended, or as it is after so many milliseconds. */
  wait(principal: Principal, id: string, ms: number, signal: AbortSignal): Promise<Task>
}

export function createTasks(deps: IngestDeps): Tasks {
  const { catalog, now } = deps

  async function start(task: NewTask, receipt?: NewReceipt): Promise<Task> {
    const created = await catalog.createTask(task, receipt)
    if (created.state === 'queued') await ring(deps, created.id)
    return created
  }

  /** Creates a task once for a key, however often it is asked to. */
  const startOnce = (principal: Principal, key: string | undefined, request: unknown, task: () => Promise<NewTask>) =>
    once(deps, principal, key, {
      work: async (receiptOf) => {
        const wanted = await task()
        const created = await start(wanted, receiptOf(request))
        return { task: created, duplicate: created.id !== wanted.id }
      },
      replay: async (receipt, check) => {
        check(request)
        return { task: await findTask(catalog, principal, receipt.task ?? ''), duplicate: receipt.duplicate }
      },
    })

  const tasks: Tasks = {
    submit: (principal, { inputs, ...run }, key) =>
      startOnce(principal, key, { run, inputs }, async () => {
        const order = orderOf(deps, run)
        const files: OrderedFile[] = []
        for (const { upload: id, input } of inputs) {
          // The same rows twice would be a wrong total that balances.
          if (files.some((file) => file.id === id)) {
            throw new AppError('unprocessable', `Upload ${id} stands among the inputs twice. Name it once.`)
          }
          files.push({ ...(await findUpload(catalog, principal, id)), input })
        }
        return taskOf(deps, principal.id, order, files)
      }),

    get: (principal, id) => findTask(catalog, principal, id),

    family: (task) => familyOf(catalog, task),

    list: (principal, page) => catalog.listTasks(principal.id, page),

    async cancel(principal, id) {
      await tasks.get(principal, id)
      return catalog.cancel(id)
    },

    async retry(principal, id, key) {
      const retried = await startOnce(principal, key, { retry: id }, async () => {
        const task = await tasks.get(principal, id)
        if (!isEnded(task.state)) {
          throw new AppError('conflict', `Task ${id} is ${task.state}. Wait for its end or cancel it, then retry.`)
        }
        const { owner, pipeline, pipelineText, params, inputs, setName, corrects, dryRun, planHash, undoes } = task
        if (task.state === 'failed' && task.attempt === 0) {
          throw new AppError('conflict', `Task ${id} never got its file. Put that in again instead.`)
        }
        const same = { owner, pipeline, pipelineText, params, inputs, setName, corrects, dryRun, planHash, undoes }
        return { id: newId(now()), ...same, retryOf: id, again: true, repeatKey: null }
      })
      return retried.task
    },

    async undo(principal, id, key) {
      const undone = await startOnce(principal, key, { undo: id }, async () => {
        const { owner, pipeline, pipelineText, params, setName } = await tasks.get(principal, id)
        const same = { owner, pipeline, pipelineText, params, setName, inputs: [] }
        const alone = { retryOf: null, corrects: null, dryRun: false, planHash: null, again: true, repeatKey: null }
        return { id: newId(now()), ...same, ...alone, undoes: id }
      })
      return undone.task
    },

    async *watch(principal, id, signal) {
      await tasks.get(principal, id)
      yield* watch(catalog, id, signal)
    },

    async wait(principal, id, ms, signal) {
      let latest = await tasks.get(principal, id)
      if (ms <= 0 || isEnded(latest.state)) return latest
      for await (const task of watch(catalog, id, AbortSignal.any([signal, AbortSignal.timeout(ms)]))) latest = task
      return latest
    },
  }
  return tasks
}

/** The task is committed by now, so a queue that is down only delays it: the next rescan finds it. */
export async function ring(
  { queue, fail, log }: Pick<IngestDeps, 'queue' | 'fail' | 'log'>,
  task: string,
): Promise<void> {
  try {
    fail?.('before-ring')
    await queue.ring(task)
    fail?.('after-ring')
  } catch (err) {
    log.warn({ err, task }, 'could not ring for a task; it waits for the next rescan')
  }
}
