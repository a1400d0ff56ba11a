import type { Readable } from 'node:stream'
import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { type FileOutput, type FixableFile, isEnded, isFile, type RejectsFile, type Task } from '../model.ts'
import type { IngestDeps } from './deps.ts'
import { findTask } from './find.ts'

/** What can be downloaded, and a way to its bytes for those who want more than its size. */
export interface Download<T> {
  readonly file: T
  /** @throws {AppError} not_found, when the bytes are gone */
  readonly open: () => Promise<Readable>
  /**
   * A URL that is good for them for some minutes; undefined where the store has none.
   * @throws {AppError} not_found, when the bytes are gone
   */
  readonly direct: (as: { readonly name: string; readonly type: string }) => Promise<string | undefined>
}

/** As long as a client needs to begin. */
const directSeconds = 300

export interface Results {
  /** @throws {AppError} not_found; conflict, when the task has not succeeded (yet), or the output is in a table */
  output(principal: Principal, task: string, name: string): Promise<Download<FileOutput>>
  /** @throws {AppError} not_found; conflict, when the task has not ended */
  rejects(principal: Principal, task: string): Promise<Download<RejectsFile>>
  /**
   * @param input may be undefined when only one has rejects.
   * @throws {AppError} not_found; conflict, when the task has not succeeded; invalid, when the input must be named
   */
  fixable(principal: Principal, task: string, input: string | undefined): Promise<Download<FixableFile>>
}

export function createResults({ catalog, blobs }: Pick<IngestDeps, 'catalog' | 'blobs'>): Results {
  async function ended(principal: Principal, id: string): Promise<Task> {
    const task = await findTask(catalog, principal, id)
    if (task.expired) {
      throw new AppError('gone', `The results of task ${id} have expired, and are gone. Retry it to get them again.`)
    }
    if (isEnded(task.state)) return task
    throw new AppError('conflict', `Task ${id} is ${task.state}; its results come when it has ended. Ask again then.`)
  }

  function download<T extends { readonly blob: string }>(file: T, what: string): Download<T> {
    const gone = (cause: unknown) => {
      if (!(cause instanceof AppError) || cause.code !== 'not_found') throw cause
      throw new AppError('not_found', `${what} is no longer stored. Retry the task to get it again.`, { cause })
    }
    return {
      file,
      open: () => blobs.read(file.blob).catch(gone),
      async direct(as) {
        // Of bytes that are gone, the store would tell in its own words.
        await blobs.direct?.stat(file.blob).catch(gone)
        return await blobs.direct?.download(file.blob, directSeconds, as)
      },
    }
  }

  return {
    async output(principal, id, name) {
      const { state, error, outputs } = await ended(principal, id)
      if (state !== 'succeeded') {
        const why = error === null ? '' : `: ${error.message}`
        throw new AppError('conflict', `Task ${id} has ${state === 'failed' ? 'failed' : 'been cancelled'}${why}`, {
          ...(error !== null && { details: { error } }),
        })
      }
      const output = outputs.find((one) => one.name === name)
      if (output !== undefined && isFile(output)) return download(output, `Output ${name} of task ${id}`)
      if (output !== undefined) {
        const where = `the table ${output.table} of ${output.to}`
        throw new AppError('conflict', `Output ${name} of task ${id} is in ${where}: there is nothing to download.`)
      }
      const names = outputs.map((one) => one.name).join(', ')
      throw new AppError('not_found', `Task ${id} has no output ${name}. It has: ${names}.`)
    },

    async rejects(principal, id) {
      const { rejects } = await ended(principal, id)
      if (rejects !== null) return download(rejects, `The rejects of task ${id}`)
      throw noRejects(id)
    },

    async fixable(principal, id, input) {
      const { state, rejects } = await ended(principal, id)
      if (rejects === null) throw noRejects(id)
      if (state !== 'succeeded') {
        throw new AppError('conflict', `Task ${id} has delivered nothing. Correct its files and send them whole.`)
      }
      const [file, ...others] = rejects.fixable.filter((one) => input === undefined || one.input === input)
      const inputs = rejects.fixable.map((one) => one.input).join(', ')
      if (file === undefined) throw new AppError('not_found', `Task ${id} has no such rejects. It has: ${inputs}.`)
      if (others.length === 0) return download(file, `The rejects of task ${id}`)
      throw new AppError('invalid', `Task ${id} has rejects of several inputs: ${inputs}. Name one with ?input=.`)
    },
  }
}

function noRejects(id: string): AppError {
  return new AppError('not_found', `Task ${id} has no rejects.`)
}
