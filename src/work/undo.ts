/** A task that takes the rows of another out of their tables again: written first, in all of them, and committed then. */
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import { isFile, type Task } from '../model.ts'
import type { Undone } from '../balances.ts'
import type { Catalog, Undoing } from '../ports.ts'
import { type Sinks, tableSink } from './targets.ts'

export interface UndoDeps {
  readonly catalog: Pick<Catalog, 'getTask' | 'targets'>
  readonly sinks: Sinks
  /**
   * Asked when all is written and nothing committed.
   * @throws {AppError} conflict, when it must not be committed.
   */
  readonly onCommit: () => Promise<void>
  readonly signal: AbortSignal
  readonly fail: Fail
}

/**
 * By output, what has become of its rows.
 * @throws {AppError} conflict, when they cannot be taken back any more; what the sinks throw.
 */
export async function undoTask(deps: UndoDeps, task: Task): Promise<Record<string, Undone>> {
  const { catalog, sinks, onCommit, signal, fail } = deps
  const undone = task.undoes === null ? undefined : await catalog.getTask(task.undoes)
  const targets = undone && (await catalog.targets(undone.id))
  if (undone === undefined || targets === undefined) {
    throw new AppError('conflict', `Task ${task.undoes ?? ''} is gone, and with it what is known of its rows.`)
  }
  await using all = new AsyncDisposableStack()
  const written = new Map<string, Undoing>()
  for (const output of undone.outputs) {
    const target = targets[output.name]?.target
    if (isFile(output) || target === undefined) continue
    const { name, to } = output
    fail?.('before-register')
    const of = { task: undone.delivery, output: name, target }
    const undoing = all.use(
      await tableSink(sinks, name, to).undo({ task: task.delivery, output: name }, task.attempt, of),
    )
    fail?.('after-register')
    written.set(name, undoing)
    if (undoing.undone === undefined) await undoing.write(signal)
  }
  fail?.('after-last-bytes')
  await onCommit()
  const counts: Record<string, Undone> = {}
  for (const [name, undoing] of written) counts[name] = undoing.undone ?? (await undoing.commit())
  return counts
}
