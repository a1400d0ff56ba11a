import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import { isEnded, type Task, type TaskState } from '../model.ts'
import { assignInputs } from '../pipeline/match.ts'
import { checkParams } from '../pipeline/params.ts'
import type { NewTask, Page } from '../ports.ts'
import { type Family, familyOf } from './corrections.ts'
import type { IngestDeps } from './deps.ts'
import { findTask, findUpload } from './find.ts'
import { watch } from './watch.ts'

/** Which pipeline to run, with which params, as the client gave them. */
export interface RunRequest {
  readonly pipeline: string
  readonly params: Readonly<Record<string, unknown>>
  /** Only find out what it would come to. */
  readonly dryRun?: boolean | undefined
  /** Only when it comes to what the plan of this hash says. */
  readonly planHash?: string | undefined
}

export interface InputRequest {
  readonly upload: string
  /** The pipeline's input it is for; undefined lets the names decide. */
  readonly input?: string | undefined
}

export interface Tasks {
  /** @throws {AppError} not_found, conflict (an upload that is not complete), unprocessable */
  submit(principal: Principal, request: RunRequest & { inputs: readonly InputRequest[] }): Promise<Task>
  /** @throws {AppError} not_found */
  get(principal: Principal, id: string): Promise<Task>
  /** What has become of its records, together with those that corrected its rejects; undefined for a task alone. */
  family(task: Task): Promise<Family | undefined>
  list(principal: Principal, page: Page & { state?: TaskState | undefined }): Promise<Task[]>
  /** @throws {AppError} not_found; conflict, when it has ended */
  cancel(principal: Principal, id: string): Promise<Task>
  /**
   * A new task that does the same again: same text of the pipeline, same params, same uploads.
   * @throws {AppError} not_found; conflict, when the old one has not ended, an upload is gone, or it is a correction that
   *   came in, or another has
   */
  retry(principal: Principal, id: string): Promise<Task>
  /**
   * A new task that takes the rows of an ended one out of their tables again.
   * @throws {AppError} not_found; conflict, when it has put none there, they can not be taken back, or have been
   */
  undo(principal: Principal, id: string): Promise<Task>
  /** The task now and after every change, until it has ended or the signal is aborted. */
  watch(principal: Principal, id: string, signal: AbortSignal): AsyncGenerator<Task, void>
  /** The task once it has ended, or as it is after so many milliseconds. */
  wait(principal: Principal, id: string, ms: number, signal: AbortSignal): Promise<Task>
}

export function createTasks(deps: IngestDeps): Tasks {
  const { catalog, now } = deps

  async function start(task: NewTask): Promise<Task> {
    const created = await catalog.createTask(task)
    await ring(deps, created.id)
    return created
  }

  const tasks: Tasks = {
    async submit(principal, { inputs, ...run }) {
      const files: { upload: string; name: string; input: string | undefined }[] = []
      for (const { upload: id, input } of inputs) {
        // The same rows twice would be a wrong total that balances.
        if (files.some((file) => file.upload === id)) {
          throw new AppError('unprocessable', `Upload ${id} stands among the inputs twice. Name it once.`)
        }
        files.push({ upload: id, name: (await findUpload(catalog, principal, id)).name, input })
      }
      return start(newTask(deps, principal, run, files))
    },

    get: (principal, id) => findTask(catalog, principal, id),

    family: (task) => familyOf(catalog, task),

    list: (principal, page) => catalog.listTasks(principal.id, page),

    async cancel(principal, id) {
      await tasks.get(principal, id)
      return catalog.cancel(id)
    },

    async retry(principal, id) {
      const task = await tasks.get(principal, id)
      if (!isEnded(task.state)) {
        throw new AppError('conflict', `Task ${id} is ${task.state}. Wait for its end or cancel it, then retry.`)
      }
      const { owner, pipeline, pipelineText, params, inputs, corrects, dryRun, planHash, undoes } = task
      const same = { owner, pipeline, pipelineText, params, inputs, corrects, dryRun, planHash, undoes }
      return start({ id: newId(now()), ...same, retryOf: id })
    },

    async undo(principal, id) {
      const { owner, pipeline, pipelineText, params } = await tasks.get(principal, id)
      const task = { id: newId(now()), owner, pipeline, pipelineText, params, inputs: [], ...alone }
      return start({ ...task, undoes: id })
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

/**
 * A task as it will be, checked as far as it can be before anything is stored.
 * @throws {AppError} not_found (the pipeline), unprocessable (params, files that fit no input)
 */
export function newTask(
  { pipelines, now }: Pick<IngestDeps, 'pipelines' | 'now'>,
  principal: Principal,
  run: RunRequest,
  files: readonly { upload: string; name: string; input?: string | undefined }[],
): NewTask {
  const { name, text, pipeline } = pipelines.get(run.pipeline)
  if (run.dryRun === true && run.planHash !== undefined) {
    throw new AppError('unprocessable', 'A dry run carries out no plan. Leave out dryRun, or planHash.')
  }
  return {
    id: newId(now()),
    owner: principal.id,
    pipeline: name,
    pipelineText: text,
    params: checkParams(pipeline, run.params),
    inputs: assignInputs(pipeline, files).map(({ input, file }) => ({ input, upload: file.upload, name: file.name })),
    ...alone,
    dryRun: run.dryRun ?? false,
    planHash: run.planHash ?? null,
  }
}

/** What holds of a task that has nothing to do with another. */
const alone = { retryOf: null, corrects: null, dryRun: false, planHash: null, undoes: null }

/** The task is committed by now, so a queue that is down only delays it: the next rescan finds it. */
export async function ring({ queue, log }: Pick<IngestDeps, 'queue' | 'log'>, task: string): Promise<void> {
  try {
    await queue.ring(task)
  } catch (err) {
    log.warn({ err, task }, 'could not ring for a task; it waits for the next rescan')
  }
}
