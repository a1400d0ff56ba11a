/** A pipeline over local files, with no service: the same child on the same kind of folder, and the same sinks. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError, errnoOf } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Params } from '../model.ts'
import type { Pipeline } from '../definition.ts'
import type { Plan } from '../balances.ts'
import type { Engine, RunOptions } from '../ports.ts'
import type { Job, Report } from '../job.ts'
import { type Place, type Ran, runAhead, runWhole } from './ahead.ts'
import { deliverAll, type Shipped } from './deliver.ts'
import { checkPlan, type Planned, planOf } from './plan.ts'
import type { Sinks } from './targets.ts'

export interface LocalJob extends RunOptions {
  readonly pipeline: Pipeline
  readonly params: Params
  readonly inputs: readonly { readonly input: string; readonly name: string; readonly path: string }[]
  /** The fingerprint of each, where somebody has looked into them already: from before that. */
  readonly before?: readonly string[]
  readonly targets: Job['targets']
  readonly now: number
  readonly memory: number
  readonly threads: number
  readonly unpacked: number
}

export interface LocalRun extends AsyncDisposable {
  /** Holds the files that the report names, until disposed. */
  readonly folder: string
  readonly report: Report
  /** Outputs for tables that are written already, as those of the first turn; see `deliverLocally`. */
  readonly written: Ran['written']
  /** The fingerprint of each input as it was. */
  readonly before: readonly string[]
}

/** How an engine runs a job in a folder. */
export type RunHow = (engine: Pick<Engine, 'run'>, job: Job, place: Place) => Promise<Ran>

/**
 * @param how `runWhole`, or what writes to tables while it runs.
 * @throws {AppError} not_found or unprocessable, for a path that is no file; else as `Engine.run`.
 */
export async function runLocally(
  engine: Pick<Engine, 'run'>,
  { signal, onProgress, before: given, ...job }: LocalJob,
  how: RunHow = runWhole,
): Promise<LocalRun> {
  const before = given ?? (await fingerprints(job.inputs))
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const inputs = await linkInputs(folder, job.inputs)
    // What was written to meanwhile may end in any error.
    const ran = await how(engine, { ...job, inputs }, { folder, signal, onProgress }).catch(async (error: unknown) => {
      if (!signal.aborted) await refuseChanged(job.inputs, before)
      throw error
    })
    const end = async () => {
      await ran[Symbol.asyncDispose]()
      await remove()
    }
    await refuseChanged(job.inputs, before).catch(async (error: unknown) => {
      await end()
      throw error
    })
    return { folder, ...ran, before, [Symbol.asyncDispose]: end }
  } catch (error) {
    await remove()
    throw error
  }
}

export interface LocalDelivery extends RunOptions {
  readonly engine: Engine
  readonly sinks: Sinks
  readonly job: Pick<LocalJob, 'pipeline' | 'params' | 'inputs' | 'targets'>
  readonly run: Pick<LocalRun, 'folder' | 'report' | 'before' | 'written'>
  /** What tells this run from others. */
  readonly planned: Planned
  /** The plan that alone may be carried out. */
  readonly planHash: string | undefined
  /** Even if the tables have had these rows before. */
  readonly again: boolean
  readonly fail: Fail
  /** The attempt's number: greater than that of any before. */
  readonly now: number
}

/**
 * Puts the outputs that are for tables there, once for the same files, pipeline and params: as a task whose id comes of
 * them, so that whoever runs the command again after it broke off goes on with it. When something else has been written
 * to the table since, the same is done anew, under the next id.
 */
export async function deliverLocally(delivery: LocalDelivery): Promise<Shipped> {
  const { engine, sinks, job, run, planned, planHash, again, now, signal, onProgress, fail } = delivery
  const report = { ...run.report, outputs: run.report.outputs.filter(({ name }) => Object.hasOwn(job.targets, name)) }
  // Who has dropped a table wants its rows again.
  const isGone = Object.values(job.targets).every(({ columns }) => columns === undefined)
  for (let turn = 0; ; turn++) {
    const task = taskId(planned, turn)
    const shipped = await deliverAll({
      ...job,
      engine,
      sinks,
      task,
      delivery: task,
      attempt: now,
      folder: run.folder,
      report,
      ...(turn === 0 && { written: run.written }),
      onCommit: async (balances) => {
        // The reader may have written the rows from the files themselves.
        await refuseChanged(job.inputs, run.before)
        checkPlan(planHash, planned, run.report, balances.outputs)
      },
      onProgress,
      signal,
      fail,
    })
    const { state } = shipped
    if (state === 'new' || (state === 'repeated' && !again && !isGone)) return shipped
  }
}

/** Runs a job, and writes its rows to tables while they are read, where that can be: those of the first turn. */
export function aheadOf(
  { now, ...deps }: Pick<LocalDelivery, 'engine' | 'sinks' | 'now' | 'fail'>,
  planned: Promise<Planned>,
): RunHow {
  return async (engine, job, place) =>
    await runAhead(engine, job, place, async () => {
      const task = taskId(await planned, 0)
      return { ...deps, ...job, ...place, task, delivery: task, attempt: now }
    })
}

/** What the run would come to, at the tables as they are. */
export async function planLocally(delivery: LocalDelivery): Promise<Plan> {
  const { job, run, planned } = delivery
  return await planOf(planned, { ...delivery, ...job, folder: run.folder, report: run.report })
}

/** As long as the ids of other tasks are, and made of the same characters. */
function taskId({ files, text, params, targets }: Planned, turn: number): string {
  const tables = Object.values(targets).map(({ target }) => target)
  const digest = createHash('sha256').update(JSON.stringify([text, params, files, tables, turn]))
  return BigInt(`0x${digest.digest('hex')}`)
    .toString(32)
    .toUpperCase()
    .slice(0, 26)
}

/**
 * @param before the fingerprint of each.
 * @throws {AppError} conflict, when a file is not as it was.
 */
export async function refuseChanged(files: readonly { path: string }[], before: readonly string[]): Promise<void> {
  const after = await fingerprints(files)
  const changed = files.find((_, i) => before[i] !== after[i])
  if (changed === undefined) return
  throw new AppError('conflict', `${changed.path} was written to while it was being read. Run it again.`)
}

/** Under names of our own: DuckDB takes some characters in a path for a pattern. */
async function linkInputs(folder: string, inputs: LocalJob['inputs']): Promise<Job['inputs']> {
  await mkdir(join(folder, 'in'))
  return Promise.all(
    inputs.map(async ({ input, name, path }, i) => {
      const link = join(folder, 'in', String(i))
      await symlink(await realpath(path), link)
      return { input, name, path: link, sha256: null }
    }),
  )
}

/** What changes of each file when it is written to; throws as `fingerprint`. */
export function fingerprints(files: readonly { path: string }[]): Promise<string[]> {
  return Promise.all(files.map(({ path }) => fingerprint(path)))
}

/**
 * What changes when a file is written to.
 * @throws {AppError} not_found or unprocessable, for a path that is no regular file.
 */
export async function fingerprint(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true })
    if (!stats.isFile()) {
      throw new AppError('unprocessable', `${path} is ${stats.isDirectory() ? 'a directory' : 'not a regular file'}.`)
    }
    return [stats.size, stats.mtimeNs, stats.ino].join('-')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new AppError('not_found', `${path} does not exist.`, { cause: error })
    if (errnoOf(error) === 'EACCES') throw new AppError('unprocessable', `${path} may not be read.`, { cause: error })
    if (errnoOf(error) === 'ELOOP')
      throw new AppError('unprocessable', `${path} is a link that leads nowhere.`, { cause: error })
    throw error
  }
}
