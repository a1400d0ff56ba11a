/** What a client asks to be done with its files: checked before any byte is taken, and made a task once they are there. */
import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Order, TaskError, Upload } from '../model.ts'
import type { Pipeline } from '../definition.ts'
import { assignInputs, inputOf, missingInputs } from '../pipeline/match.ts'
import { checkParams } from '../pipeline/params.ts'
import { parsePipeline } from '../pipeline/parse.ts'
import { repeatKey } from '../pipeline/repeat.ts'
import type { Decide, NewTask } from '../entries.ts'
import { orderOfCorrection } from './corrections.ts'
import type { IngestDeps } from './deps.ts'

/** Which pipeline to run, with which params, as the client gave them. */
export interface RunRequest {
  readonly pipeline: string
  readonly params: Readonly<Record<string, unknown>>
  /** Only find out what it would come to. */
  readonly dryRun?: boolean | undefined
  /** Only when it comes to what the plan of this hash says. */
  readonly planHash?: string | undefined
  /** Even if the same was done before. */
  readonly again?: boolean | undefined
  /** The pipeline's input that the file is for; undefined lets its name decide. */
  readonly input?: string | undefined
}

/** What is to become of an upload: a run of a pipeline, or a correction of the rejects of a task. */
export type Wish = { readonly run: RunRequest } | { readonly corrects: string }

/**
 * @param name of the file.
 * @param isAlone whether it is all that the task will have.
 * @throws {AppError} not_found, conflict or unprocessable, when there can be no such task
 */
export async function checkWish(
  deps: Pick<IngestDeps, 'catalog' | 'pipelines'>,
  principal: Principal,
  wish: Wish,
  file: { readonly name: string; readonly isAlone: boolean },
): Promise<Order> {
  if ('corrects' in wish) return await orderOfCorrection(deps, principal, wish.corrects)
  const order = orderOf(deps, wish.run)
  const { pipeline } = deps.pipelines.get(wish.run.pipeline)
  const { name } = file
  const input = wish.run.input
  if (file.isAlone) assignInputs(pipeline, [{ name, input }])
  else inputOf(pipeline, { name, input })
  return order
}

/** @throws {AppError} not_found (the pipeline), unprocessable (params) */
export function orderOf({ pipelines }: Pick<IngestDeps, 'pipelines'>, run: RunRequest): Order {
  const { name, text, pipeline } = pipelines.get(run.pipeline)
  if (run.dryRun === true && run.planHash !== undefined) {
    throw new AppError('unprocessable', 'A dry run carries out no plan. Leave out dryRun, or planHash.')
  }
  return {
    pipeline: name,
    pipelineText: text,
    params: checkParams(pipeline, run.params),
    corrects: null,
    dryRun: run.dryRun ?? false,
    planHash: run.planHash ?? null,
    again: run.again ?? false,
    input: run.input,
  }
}

/** A file of a task that is to be. */
export interface OrderedFile extends Pick<Upload, 'id' | 'name' | 'sha256'> {
  /** The pipeline's input it is for; undefined lets the names decide. */
  readonly input?: string | undefined
}

/** @throws {AppError} unprocessable, when the files do not fit the pipeline's inputs */
export function taskOf(
  { now }: Pick<IngestDeps, 'now'>,
  owner: string,
  order: Order,
  files: readonly OrderedFile[],
  setName: string | null = null,
): NewTask {
  const { input: only, number, again, ...ordered } = order
  // A correction is for the only input that there is.
  const pipeline = order.corrects === null ? pipelineOf(order) : undefined
  const assigned =
    pipeline === undefined ? files.map((file) => ({ input: only ?? '', file })) : assignInputs(pipeline, files)
  const inputs = assigned.map(({ input, file }) => ({ input, upload: file.id, name: file.name }))
  const contents = assigned.flatMap(({ input, file: { sha256 } }) =>
    sha256 === null ? [] : [{ input, content: number === undefined ? sha256 : `${sha256} ${number}` }],
  )
  const isKnown = contents.length === inputs.length && !order.dryRun
  const file = setName ?? inputs[0]?.name ?? ''
  return {
    id: newId(now()),
    owner,
    ...ordered,
    inputs,
    setName,
    retryOf: null,
    undoes: null,
    again,
    repeatKey: isKnown && pipeline !== undefined ? repeatKey({ ...order, pipeline, file, inputs: contents }) : null,
  }
}

/** A task whose files could not be had. */
export function failedTaskOf(
  { now }: Pick<IngestDeps, 'now'>,
  owner: string,
  { pipeline, pipelineText, params, corrects, dryRun, planHash, again }: Order,
  setName: string | null,
  error: TaskError,
): NewTask {
  const ordered = { pipeline, pipelineText, params, corrects, dryRun, planHash, again }
  const alone = { inputs: [], retryOf: null, undoes: null, repeatKey: null }
  return { id: newId(now()), owner, ...ordered, ...alone, setName, error }
}

/**
 * What a complete upload brings about: a task for it alone; or, once its set has all it waits for, one for the set; and
 * where nobody can know when that is, again one for it alone.
 */
export function decideFor(deps: Pick<IngestDeps, 'now'>): Decide {
  return (upload, inSet) => {
    const { owner } = upload
    if (inSet === undefined) {
      return {
        task: upload.order === null ? undefined : taskOf(deps, owner, upload.order, [fileOf(upload)]),
      }
    }
    const { set, complete } = inSet
    const { order, files: wanted, name } = set
    if (wanted !== null && complete < wanted) return {}
    if (order === null) return { closes: wanted !== null }
    const pipeline = pipelineOf(order)
    if (wanted === null && Object.keys(pipeline.inputs).length === 1) {
      return { task: taskOf(deps, owner, upload.order ?? order, [fileOf(upload)], name) }
    }
    return (uploads) => {
      const files = uploads.map(fileOf)
      if (wanted === null && missingInputs(pipeline, files).length > 0) return {}
      return { task: taskOf(deps, owner, order, files, name), closes: true }
    }
  }
}

export function fileOf({ id, name, sha256, order }: Upload): OrderedFile {
  return { id, name, sha256, input: order?.input }
}

export function pipelineOf({ pipeline, pipelineText }: Pick<Order, 'pipeline' | 'pipelineText'>): Pipeline {
  return parsePipeline(pipeline, pipelineText, `${pipeline}.yaml`)
}
