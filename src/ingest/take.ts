/**
 * Files that lie where others have put them, and are fetched from there. Nobody waits for an answer, so a task tells what
 * has come of each, also when there is nothing to run.
 */
import type { Readable } from 'node:stream'
import type { Principal } from '../auth/authorize.ts'
import type { NewReceipt } from '../entries.ts'
import { asAppError, type ErrorCode } from '../errors.ts'
import type { Order, Task, TaskError } from '../model.ts'
import type { IngestDeps } from './deps.ts'
import { findTask, findUpload } from './find.ts'
import type { Received } from './finish.ts'
import { once } from './keys.ts'
import type { Placed } from './layout.ts'
import { failedTaskOf, orderOf } from './orders.ts'
import type { Delivery } from './uploads.ts'

/** A file that was found. */
export interface Found extends Placed {
  /** As people name where it lies. */
  readonly place: string
  /** @throws {AppError} not_found, when it is there no more; gone, when another has taken its place. */
  readonly open: () => Promise<{ readonly bytes: number; readonly stream: Readable }>
}

/**
 * Receives a file, once for a key; one that was taken before is not opened again. What is refused for good becomes a task
 * that has failed, and the same refusal again becomes no other.
 * @returns its task, or the earlier one that it would only repeat; undefined while its set waits for others.
 * @throws {AppError} what `mayPass`; gone, when another file has taken its place; what keeps it from being a task at all,
 *   where there is no such pipeline or its params are wrong.
 */
export type Take = (principal: Principal, found: Found, key: string) => Promise<Task | undefined>

const passing: ReadonlySet<ErrorCode> = new Set(['unavailable', 'full', 'internal', 'conflict', 'crashed'])

/** Whether a file is to be tried again that met such an error: in the meantime it waits where it lies. */
export function mayPass(code: ErrorCode): boolean {
  return passing.has(code)
}

export type Receive = (
  principal: Principal,
  delivery: Delivery,
  receiptOf: (sha256: string) => NewReceipt | undefined,
) => Promise<Received>

export function createTake(deps: IngestDeps, receive: Receive): Take {
  const { catalog } = deps

  async function takeIn(principal: Principal, found: Found, receipt: NewReceipt | undefined) {
    const { name, wish, set } = found
    const { bytes, stream } = await found.open()
    try {
      const delivery = { name, wish, set, size: bytes, source: stream }
      return (await receive(principal, delivery, () => receipt)).task
    } finally {
      stream.destroy()
    }
  }

  /** The refusal as a task, once; thrown on, where there is no pipeline that could have run. */
  async function refuse(principal: Principal, { place, wish, set }: Found, key: string, thrown: unknown) {
    const { code, message, details } = asAppError(thrown)
    if (mayPass(code) || code === 'gone') throw thrown
    let order: Order
    try {
      order = orderOf(deps, wish.run)
    } catch {
      throw thrown
    }
    const error: TaskError = { code, message: `${place}: ${message}`, ...(details && { details }) }
    // Under a key of its own: the same file may come after all, when it is put there again.
    return await once(deps, principal, `${key} refused`, {
      work: async (receiptOf) => {
        const task = failedTaskOf(deps, principal.id, order, set?.name ?? null, error)
        return await catalog.createTask(task, receiptOf({ refused: key }))
      },
      replay: ({ task }) => findTask(catalog, principal, task ?? ''),
    })
  }

  return async (principal, found, key) => {
    try {
      return await once(deps, principal, key, {
        // The key stands for the bytes, wherever a setting has put the file meanwhile.
        work: (receiptOf) => takeIn(principal, found, receiptOf({ found: key })),
        async replay({ upload }) {
          const { task } = await findUpload(catalog, principal, upload ?? '')
          return task === null ? undefined : await findTask(catalog, principal, task)
        },
      })
    } catch (error) {
      return await refuse(principal, found, key, error)
    }
  }
}
