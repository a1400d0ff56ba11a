/** A pipeline over local files, with no service: the same child on the same kind of folder. */
import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError, errnoOf } from '../errors.ts'
import type { Params, Pipeline } from '../model.ts'
import { type Engine, type Job, type Report, type RunOptions, jobFile } from '../ports.ts'

export interface LocalJob extends RunOptions {
  readonly pipeline: Pipeline
  readonly params: Params
  readonly inputs: readonly { readonly input: string; readonly name: string; readonly path: string }[]
  readonly now: number
  readonly memory: number
  readonly threads: number
  readonly unpacked: number
}

export interface LocalRun extends AsyncDisposable {
  /** Holds the files that the report names, until disposed. */
  readonly folder: string
  readonly report: Report
}

/** @throws {AppError} not_found or unprocessable, for a path that is no file; else as `Engine.run`. */
export async function runLocally(engine: Engine, { signal, onProgress, ...job }: LocalJob): Promise<LocalRun> {
  const before = await Promise.all(job.inputs.map(({ path }) => fingerprint(path)))
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const inputs = await linkInputs(folder, job.inputs)
    await writeFile(join(folder, jobFile), JSON.stringify({ ...job, inputs } satisfies Job))
    // What was written to meanwhile may end in any error.
    const report = await engine.run(folder, { signal, onProgress }).catch(async (error: unknown) => {
      if (!signal.aborted) await refuseChanged(job.inputs, before)
      throw error
    })
    await refuseChanged(job.inputs, before)
    return { folder, report, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/**
 * @param before the fingerprint of each.
 * @throws {AppError} conflict, when a file is not as it was.
 */
export async function refuseChanged(files: readonly { path: string }[], before: readonly string[]): Promise<void> {
  const after = await Promise.all(files.map(({ path }) => fingerprint(path)))
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
