import type { Readable } from 'node:stream'
import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { isEnded, type Output, type RejectsFile, type Task } from '../model.ts'
import type { IngestDeps } from './deps.ts'
import { findTask } from './find.ts'

/** What can be downloaded, and a way to its bytes for those who want more than its size. */
export interface Download<T> {
  readonly file: T
  /** @throws {AppError} not_found, when the bytes are gone */
  readonly open: () => Promise<Readable>
}

export interface Results {
  /** @throws {AppError} not_found; conflict, when the task has not succeeded (yet) */
  output(principal: Principal, task: string, name: string): Promise<Download<Output>>
  /** @throws {AppError} not_found; conflict, when the task has not ended */
  rejects(principal: Principal, task: string): Promise<Download<RejectsFile>>
}

export function createResults({ catalog, blobs }: Pick<IngestDeps, 'catalog' | 'blobs'>): Results {
  async function ended(principal: Principal, id: string): Promise<Task> {
    const task = await findTask(catalog, principal, id)
    if (isEnded(task.state)) return task
    throw new AppError('conflict', `Task ${id} is ${task.state}; its results come when it has ended. Ask again then.`)
  }

  function download<T extends { readonly blob: string }>(file: T, what: string): Download<T> {
    return {
      file,
      open: () =>
        blobs.read(file.blob).catch((cause: unknown) => {
          if (!(cause instanceof AppError) || cause.code !== 'not_found') throw cause
          throw new AppError('not_found', `${what} is no longer stored. Retry the task to get it again.`, { cause })
        }),
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
      if (output !== undefined) return download(output, `Output ${name} of task ${id}`)
      const names = outputs.map((one) => one.name).join(', ')
      throw new AppError('not_found', `Task ${id} has no output ${name}. It has: ${names}.`)
    },

    async rejects(principal, id) {
      const { rejects } = await ended(principal, id)
      if (rejects !== null) return download(rejects, `The rejects of task ${id}`)
      throw new AppError('not_found', `Task ${id} has no rejects.`)
    },
  }
}
