/** The end of an upload: looked at once more, closed, and made a task of. */
import { isDeepStrictEqual } from 'node:util'
import type { Part, Task, Upload } from '../model.ts'
import type { NewPart, NewReceipt } from '../entries.ts'
import type { IngestDeps } from './deps.ts'
import { joinOf } from './join.ts'
import { decideFor } from './orders.ts'
import { screenArchive } from './screen.ts'
import type { Storage } from './storage.ts'
import { ring } from './tasks.ts'

/**
 * @param last its last part, which is recorded in the same transaction.
 * @throws {AppError} conflict, when something is missing; checksum; rejected or too_large, for what is no table
 */
export type Finish = (upload: Upload, last?: NewPart, receipt?: NewReceipt) => Promise<Upload>

export function createFinish(deps: IngestDeps, storage: Storage): Finish {
  const { catalog } = deps
  const decide = decideFor(deps)

  async function close(upload: Upload, seen: readonly Part[], last?: NewPart, receipt?: NewReceipt): Promise<Upload> {
    const parts: Pick<Part, 'blob' | 'bytes'>[] = last === undefined ? [...seen] : [...seen, last]
    await screenArchive(deps, storage, upload, parts)
    // What has a hash as a whole is one file that was cut up.
    const isOne = upload.comes !== 'in pieces' || upload.claimedSha256 !== null
    const joined = isOne ? 'as bytes' : await joinOf(deps, parts)
    const recorded = await catalog.completeUpload(upload.id, { seen, last, joined, decide, receipt })
    await storage.remove(recorded.unused)
    const { task } = recorded.upload
    if (task !== null) await ring(deps, task)
    return recorded.upload
  }

  return async (upload, last, receipt) => {
    for (;;) {
      const seen = await catalog.parts(upload.id)
      try {
        return await close(upload, seen, last, receipt)
      } catch (error) {
        // A piece that was replaced while it was looked at is looked at again; its blob may be gone already.
        const now = await catalog.getUpload(upload.id)
        if (now?.state === 'complete' && last === undefined) return now
        if (now?.state !== 'open' || isDeepStrictEqual(await catalog.parts(upload.id), seen)) throw error
      }
    }
  }
}

export interface Received {
  readonly upload: Upload
  /** The task that has come of it, or the earlier one that it would only repeat. */
  readonly task: Task | undefined
  readonly duplicate: boolean
}

/** What has come of an upload that is complete. */
export async function receivedOf({ catalog }: Pick<IngestDeps, 'catalog'>, upload: Upload): Promise<Received> {
  const task = upload.task === null ? undefined : await catalog.getTask(upload.task)
  const duplicate = task !== undefined && !task.inputs.some((input) => input.upload === upload.id)
  return { upload, task, duplicate }
}
