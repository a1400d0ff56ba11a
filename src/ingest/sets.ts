import type { Principal } from '../auth/authorize.ts'
import { newId } from '../ids.ts'
import type { Upload, UploadSet } from '../model.ts'
import { missingInputs } from '../pipeline/match.ts'
import type { Page } from '../entries.ts'
import type { IngestDeps } from './deps.ts'
import { findSet } from './find.ts'
import { once } from './keys.ts'
import { fileOf, orderOf, pipelineOf, type RunRequest } from './orders.ts'
import { createStorage } from './storage.ts'

/** A set, what has come of it, and what it still waits for. */
export interface SetContents {
  readonly set: UploadSet
  /** Open and complete ones, oldest first. */
  readonly uploads: readonly Upload[]
  /** Inputs of the pipeline that have no complete file yet; none where the number of files says when it is complete. */
  readonly missingInputs: readonly string[]
  /** How many files are still to come; null where nobody has said how many there will be. */
  readonly missingFiles: number | null
}

export interface Sets {
  /**
   * A set without a name, for what comes under its id.
   * @param key the client's Idempotency-Key.
   * @throws {AppError} not_found (the pipeline), unprocessable (params)
   */
  create(principal: Principal, run: RunRequest | undefined, key?: string): Promise<UploadSet>
  /** @throws {AppError} not_found */
  get(principal: Principal, id: string): Promise<SetContents>
  list(principal: Principal, page: Page): Promise<UploadSet[]>
  /**
   * Deletes a set that has not closed, with what has come of it.
   * @throws {AppError} not_found; conflict, when it has closed, or a task needs one of its uploads
   */
  remove(principal: Principal, id: string): Promise<void>
}

export function createSets(deps: IngestDeps): Sets {
  const { catalog, now } = deps
  const storage = createStorage(deps)
  return {
    create: (principal, run, key) =>
      once(deps, principal, key, {
        work: async (receiptOf) => {
          const order = run === undefined ? null : orderOf(deps, run)
          const wanted = { id: newId(now()), owner: principal.id, name: null, order, files: null }
          return await catalog.createSet(wanted, receiptOf({ set: run }))
        },
        replay: async ({ set }, check) => {
          check({ set: run })
          return await findSet(catalog, principal, set ?? '')
        },
      }),

    async get(principal, id) {
      const set = await findSet(catalog, principal, id)
      const uploads = await catalog.setUploads(id)
      const complete = uploads.filter(({ state }) => state === 'complete')
      const isWaiting = set.state === 'waiting'
      return {
        set,
        uploads,
        missingInputs:
          !isWaiting || set.order === null || set.files !== null || isForOne(set)
            ? []
            : missingInputs(pipelineOf(set.order), complete.map(fileOf)),
        missingFiles: set.files === null ? null : Math.max(0, isWaiting ? set.files - complete.length : 0),
      }
    },

    list: (principal, page) => catalog.listSets(principal.id, page),

    async remove(principal, id) {
      await findSet(catalog, principal, id)
      await storage.remove(await catalog.deleteSet(id))
    },
  }
}

/** Whether each file is a task of its own. */
function isForOne({ order }: UploadSet): boolean {
  return order !== null && Object.keys(pipelineOf(order).inputs).length === 1
}
