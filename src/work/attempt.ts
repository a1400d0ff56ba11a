/** One attempt at a claimed task: fetch, run, deliver, finish. Every write carries the attempt's number. */
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, asAppError } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  checkBalances,
  type Output,
  type OutputBalance,
  type Pipeline,
  type RejectsFile,
  resultKey,
  type Task,
  type TaskState,
} from '../model.ts'
import { parsePipeline } from '../pipeline/parse.ts'
import {
  type Blobs,
  type Catalog,
  type Delivery,
  type Engine,
  type Job,
  type JobInput,
  type Report,
  type RunOptions,
  type Sink,
  type Verdict,
  jobFile,
} from '../ports.ts'
import { startHeart } from './heart.ts'
import { afterError, type RetryPolicy } from './retry.ts'

export interface WorkDeps {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly engine: Engine
  readonly sinks: ReadonlyMap<string, Sink>
  readonly scratch: string
  readonly leaseMs: number
  readonly retry: RetryPolicy
  /** What the engine may plan with. */
  readonly limits: Pick<Job, 'memory' | 'threads' | 'unpacked'>
  readonly now: () => number
  readonly random: () => number
  readonly log: Log
}

const overtaken = 'the task was cancelled, or is another attempt’s by now'

/** Runs the attempt to its end, whatever that is. `stop` sends the task back to the queue. */
export async function runAttempt(deps: WorkDeps, task: Task, stop: AbortSignal): Promise<void> {
  const log = deps.log.child({ task: task.id, attempt: task.attempt, pipeline: task.pipeline })
  await using heart = startHeart(deps, task, log)
  const signal = AbortSignal.any([stop, heart.lost])
  try {
    const verdict = await workInScratch(deps, task, { signal, onProgress: heart.tell })
    if (verdict === undefined) log.info(overtaken)
    else log.info({ verdict }, 'the attempt has ended')
  } catch (error) {
    // The scratch folder is gone by now: it may be what filled the disk, and this needs room there as well.
    if (heart.lost.aborted) log.info(overtaken)
    else await giveUp(deps, task, error, stop, log)
  }
}

async function workInScratch(deps: WorkDeps, task: Task, options: RunOptions): Promise<TaskState | undefined> {
  const folder = join(deps.scratch, scratchName(task))
  try {
    await removeEarlier(deps, task)
    const pipeline = parsePipeline(task.pipeline, task.pipelineText, `${task.pipeline}.yaml`)
    await mkdir(join(folder, 'in'), { recursive: true })
    await writeJob(deps, task, pipeline, folder, options.signal)
    const report = await deps.engine.run(folder, options)
    return await deliver(deps, task, pipeline, folder, report, options.signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What attempts have left whose worker died: it may be as much as this one needs. */
async function removeEarlier({ scratch, blobs }: WorkDeps, { id, attempt }: Task): Promise<void> {
  for (let earlier = 1; earlier < attempt; earlier++) {
    await rm(join(scratch, scratchName({ id, attempt: earlier })), { recursive: true, force: true })
    await blobs.delete(resultKey(id, earlier, ''))
  }
}

/** The name of an attempt's scratch folder, by which the janitor knows whose it is. */
export function scratchName({ id, attempt }: Pick<Task, 'id' | 'attempt'>): string {
  return `${id}-${attempt}`
}

async function writeJob(
  deps: WorkDeps,
  task: Task,
  pipeline: Pipeline,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const inputs: JobInput[] = []
  for (const [i, { input, upload, name }] of task.inputs.entries()) {
    const path = join(folder, 'in', String(i))
    const stored = await deps.catalog.getUpload(upload)
    if (stored?.state !== 'complete') throw new AppError('unprocessable', `The upload ${upload} (${name}) is gone.`)
    const parts = await deps.catalog.parts(upload)
    await deps.blobs.fetch(
      parts.map(({ blob }) => blob),
      path,
      signal,
    )
    inputs.push({ input, name, path, sha256: stored.sha256 })
  }
  const job: Job = { pipeline, params: task.params, inputs, now: deps.now(), ...deps.limits }
  await writeFile(join(folder, jobFile), JSON.stringify(job))
}

/**
 * Stores everything first, commits then, and only then says so: a task's end is the last thing to be written, and
 * what was stored for an end that did not come is removed. Undefined when the task is no longer this attempt's.
 */
async function deliver(
  deps: WorkDeps,
  task: Task,
  pipeline: Pipeline,
  folder: string,
  report: Report,
  signal: AbortSignal,
): Promise<TaskState | undefined> {
  const { catalog, blobs, sinks } = deps
  await using debris = new AsyncDisposableStack()
  debris.defer(() => blobs.delete(resultKey(task.id, task.attempt, '')))
  const rejects = await storeRejects(deps, task, folder, report, signal)
  const verdict =
    report.error === null
      ? await commitAll(report)
      : ({
          state: 'failed',
          error: report.error,
          balances: Object.keys(report.inputs).length > 0 ? { inputs: report.inputs, outputs: {} } : null,
          rejects,
          crashed: false,
        } as const)
  if (!(await catalog.finish(task.id, task.attempt, verdict))) return undefined
  debris.move()
  return verdict.state

  async function commitAll({ inputs, outputs: files, warnings }: Report): Promise<Verdict> {
    await using deliveries = new AsyncDisposableStack()
    const written: Delivery[] = []
    for (const file of files) {
      const to = pipeline.outputs[file.name]?.to ?? ''
      const sink = sinks.get(to)
      if (sink === undefined)
        throw new AppError('unprocessable', `Output “${file.name}” goes to “${to}”, which is no sink.`)
      const delivery = deliveries.use(await sink.begin({ task: task.id, output: file.name }, task.attempt))
      await delivery.write(join(folder, file.file), file, signal)
      written.push(delivery)
    }
    const outputs: Output[] = []
    const counts: Record<string, OutputBalance> = {}
    for (const delivery of written) {
      const { balance, output } = await delivery.commit()
      outputs.push(output)
      counts[output.name] = balance
    }
    const balances = { inputs, outputs: counts }
    checkBalances(balances)
    return { state: 'succeeded', balances, warnings, outputs, rejects }
  }
}

async function storeRejects(
  { blobs }: WorkDeps,
  task: Task,
  folder: string,
  { rejects }: Report,
  signal: AbortSignal,
): Promise<RejectsFile | null> {
  if (rejects === null) return null
  const blob = resultKey(task.id, task.attempt, 'rejects.csv')
  await using file = await open(join(folder, rejects.file))
  const { bytes } = await blobs.put(blob, file.createReadStream({ autoClose: false }), { signal })
  return { count: rejects.count, bytes, blob }
}

/** The attempt has come to nothing: the task goes round again, or fails. */
async function giveUp(deps: WorkDeps, task: Task, cause: unknown, stop: AbortSignal, log: Log): Promise<void> {
  const { catalog, retry, random } = deps
  const error = asAppError(cause)
  const verdict: Verdict = stop.aborted
    ? { state: 'queued', delayMs: 0, why: 'stopped' }
    : afterError(task, error, retry, random())
  if (stop.aborted) log.info('the attempt was stopped; the task goes back to the queue')
  else log.warn({ err: error, verdict }, 'the attempt has failed')
  await catalog.finish(task.id, task.attempt, verdict)
}
