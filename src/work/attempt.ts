/** One attempt at a claimed task: fetch, run, deliver, finish. Every write carries the attempt's number. */
import { mkdir, open, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { AppError, asAppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Log } from '../log.ts'
import { type FixableFile, type RejectsFile, resultKey, type Task, type TaskState } from '../model.ts'
import type { Balances } from '../balances.ts'
import { parsePipeline } from '../pipeline/parse.ts'
import type { Verdict } from '../entries.ts'
import type { Blobs, Catalog, Engine, RunOptions } from '../ports.ts'
import type { Job, Report, Targets } from '../job.ts'
import { deliverAll, type Shipment } from './deliver.ts'
import { runAhead, runWhole } from './ahead.ts'
import { startDeadline } from './deadline.ts'
import { startHeart } from './heart.ts'
import { contentsOf, fetchInputs, repeatKeyOf, sameFiles } from './inputs.ts'
import { originOf } from './origin.ts'
import { tellCatalog } from './ending.ts'
import { checkPlan, type Planned, planOf } from './plan.ts'
import { afterError, type RetryPolicy } from './retry.ts'
import { deliveredTargets, type Sinks, targetsOf } from './targets.ts'
import { undoTask } from './undo.ts'

export interface WorkDeps {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly engine: Engine
  readonly sinks: Sinks
  readonly scratch: string
  readonly leaseMs: number
  /** The longest that an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  /** What the engine may plan with. */
  readonly limits: Pick<Job, 'memory' | 'threads' | 'unpacked'>
  readonly now: () => number
  readonly random: () => number
  readonly fail: Fail
  readonly log: Log
}

const overtaken = 'the task was cancelled, or is another attempt’s by now'

/** Runs the attempt to its end, whatever that is. `stop` sends the task back to the queue. */
export async function runAttempt(deps: WorkDeps, task: Task, stop: AbortSignal): Promise<void> {
  const log = deps.log.child({ task: task.id, attempt: task.attempt, pipeline: task.pipeline })
  await using heart = startHeart(deps, task, log)
  using deadline = startDeadline(deps.timeoutMs)
  const options = { signal: AbortSignal.any([stop, heart.lost, deadline.signal]), onProgress: heart.tell }
  try {
    const verdict = task.undoes === null ? await workInScratch(deps, task, options) : await undo(deps, task, options)
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
    const { file, corrects } = await originOf(deps.catalog, task)
    const by = { task: task.delivery, attempt: task.attempt }
    const done = task.committing ? await deliveredTargets(deps.sinks, pipeline, task, deps.catalog) : {}
    const load = { params: task.params, file: task.setName ?? file, by, adds: corrects !== undefined, done }
    const targets = await targetsOf(deps.sinks, pipeline, load)
    const fetched = await fetchInputs(deps, task, join(folder, 'in'), options.signal)
    const inputs = fetched.flatMap(({ files }) => files)
    const job: Job = { pipeline, params: task.params, inputs, targets, corrects, now: deps.now(), ...deps.limits }
    const reading = contentsOf(deps.catalog, fetched, options.signal)
    // Told below, unless the run itself ends in an error.
    reading.catch(() => {})
    const { id, delivery, attempt, dryRun } = task
    const shipment = { ...deps, ...options, pipeline, targets, folder, task: id, delivery, attempt }
    await using ran = await (dryRun
      ? runWhole(deps.engine, job, shipment)
      : runAhead(deps.engine, job, shipment, async () => shipment))
    const contents = await reading
    const same = repeatKeyOf(task, pipeline, task.setName ?? file, fetched, contents)
    if (same !== null && (await deps.catalog.cancelRepeated(id, attempt, same)) !== undefined) return 'cancelled'
    const files = fetched.map(({ input }, i) => [input, contents[i] ?? ''] as const)
    const names = inputs.map(({ name }) => name)
    const planned = { files, names, text: task.pipelineText, params: task.params, targets }
    const warnings = [...sameFiles(fetched, contents), ...ran.report.warnings]
    const shipped = { ...shipment, ...ran, report: { ...ran.report, warnings } }
    return await deliver(deps, task, shipped, planned, Object.keys(done).length > 0)
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

/**
 * Stores everything first, commits then, and only then says so: a task's end is the last thing to be written, and
 * what was stored for an end that did not come is removed. Undefined when the task is no longer this attempt's.
 * @param isBegun whether an earlier attempt has delivered some of it.
 */
async function deliver(
  deps: WorkDeps,
  task: Task,
  work: Omit<Shipment, 'onCommit'>,
  planned: Planned,
  isBegun: boolean,
): Promise<TaskState | undefined> {
  const { blobs } = deps
  const { folder, report, signal } = work
  await using debris = new AsyncDisposableStack()
  debris.defer(() => blobs.delete(resultKey(task.id, task.attempt, '')))
  const rejects = await storeRejects(deps, task, folder, report, signal)
  const verdict: Verdict =
    report.error === null
      ? { state: 'succeeded', ...(await (task.dryRun ? rehearse() : ship())), warnings: report.warnings, rejects }
      : {
          state: 'failed',
          error: report.error,
          balances: Object.keys(report.inputs).length > 0 ? { inputs: report.inputs, outputs: {} } : null,
          rejects,
          crashed: false,
        }
  const hasEnded = await finish(deps, task, isBegun ? tellBegun(verdict) : verdict, signal).catch((error: unknown) => {
    // It may be written down all the same, and then this is what it names. A sweep decides.
    debris.move()
    throw error
  })
  if (!hasEnded) return undefined
  debris.move()
  return verdict.state

  async function ship(): Promise<Pick<Ending, 'balances' | 'outputs'>> {
    const onCommit = async (balances: Balances) => {
      // What was begun goes forward.
      if (!isBegun) checkPlan(task.planHash, planned, report, balances.outputs)
      // What goes to files is committed by the task's end.
      if (Object.keys(work.targets).length > 0) await commit(deps, task, work.targets)
    }
    const { balances, outputs } = await deliverAll({ ...work, onCommit })
    return { balances, outputs }
  }

  async function rehearse(): Promise<Pick<Ending, 'balances' | 'outputs' | 'plan'>> {
    const plan = await planOf(planned, work)
    return { balances: { inputs: report.inputs, outputs: {} }, outputs: [], plan }
  }
}

type Ending = Extract<Verdict, { state: 'succeeded' }>

/** Takes the rows of another task back. Undefined when the task is no longer this attempt's. */
async function undo(deps: WorkDeps, task: Task, { signal }: RunOptions): Promise<TaskState | undefined> {
  const undone = await undoTask({ ...deps, signal, onCommit: () => commit(deps, task, {}) }, task)
  const nothing = { balances: { inputs: {}, outputs: {} }, warnings: [], outputs: [], rejects: null }
  const verdict = { state: 'succeeded', ...nothing, undone } as const
  return (await finish(deps, task, verdict, signal)) ? verdict.state : undefined
}

/** @throws {AppError} conflict, when the task is no longer this attempt's. */
async function commit({ catalog }: WorkDeps, { id, attempt }: Task, targets: Targets): Promise<void> {
  if (await catalog.commit(id, attempt, targets)) return
  throw new AppError('conflict', `Task ${id}: ${overtaken}.`)
}

async function finish(deps: WorkDeps, task: Task, verdict: Verdict, signal: AbortSignal): Promise<boolean> {
  deps.fail?.('before-finish')
  if (!(await tellCatalog(deps, task, verdict, signal))) return false
  deps.fail?.('after-finish')
  return true
}

async function storeRejects(
  { blobs }: WorkDeps,
  task: Task,
  folder: string,
  { rejects }: Report,
  signal: AbortSignal,
): Promise<RejectsFile | null> {
  if (rejects === null) return null
  const store = async (path: string) => {
    const blob = resultKey(task.id, task.attempt, basename(path))
    await using file = await open(join(folder, path))
    const { bytes } = await blobs.put(blob, file.createReadStream({ autoClose: false }), { signal })
    return { bytes, blob }
  }
  const fixable: FixableFile[] = []
  for (const { input, file } of rejects.fixable) fixable.push({ input, ...(await store(file)) })
  return { count: rejects.count, ...(await store(rejects.file)), fixable }
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
  const hasBegun = (await catalog.getTask(task.id))?.committing === true
  await catalog.finish(task.id, task.attempt, hasBegun ? tellBegun(verdict) : verdict)
}

/** Who reads of a failure takes it that nothing was delivered. */
function tellBegun(verdict: Verdict): Verdict {
  if (verdict.state !== 'failed') return verdict
  const { error } = verdict
  const more = 'Its commit had begun, so some of its rows may be in. Retry it: it goes on there, with nothing twice.'
  return { ...verdict, error: { ...error, message: `${error.message.replace(/\.?$/, '.')} ${more}` } }
}
