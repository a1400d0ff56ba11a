/** Rejects that were corrected and come back: as a task of their own, a child of the one that has rejected them. */
import type { Principal } from '../auth/authorize.ts'
import { AppError } from '../errors.ts'
import { checkUncorrected, isEnded, type Order, type Task } from '../model.ts'
import { readerPrefix } from '../definition.ts'
import type { InputBalance } from '../balances.ts'
import type { Catalog } from '../ports.ts'
import type { IngestDeps } from './deps.ts'
import { findTask } from './find.ts'

/**
 * What does with a file of corrected rejects what another task has done with the records that it took. Whether it is the
 * only one is known for certain when its task is created.
 * @throws {AppError} not_found; conflict, when there is nothing of the other task to correct.
 */
export async function orderOfCorrection(
  { catalog }: Pick<IngestDeps, 'catalog'>,
  principal: Principal,
  corrects: string,
): Promise<Order> {
  const parent = await findTask(catalog, principal, corrects)
  refuse(parent)
  checkUncorrected(parent)
  const { pipeline, pipelineText, inputs } = parent
  const params = Object.entries(parent.params).filter(([name]) => !name.startsWith(readerPrefix))
  return {
    pipeline,
    pipelineText,
    params: Object.fromEntries(params),
    corrects,
    dryRun: false,
    planHash: null,
    again: false,
    input: inputs[0]?.input ?? '',
  }
}

function refuse({ id, state, inputs, rejects, dryRun }: Task): void {
  const conflict = (why: string) => new AppError('conflict', `Task ${id} ${why}`)
  if (!isEnded(state)) throw conflict(`is ${state}; its rejects come when it has ended. Send them then.`)
  if (state !== 'succeeded') {
    const how = state === 'failed' ? 'has failed' : 'was cancelled'
    throw conflict(`${how}, and has delivered nothing. Correct its files and send them whole.`)
  }
  if (dryRun) throw conflict('was a dry run, and has delivered nothing. Correct its files and send them whole.')
  if (rejects === null) throw conflict('has no rejects: there is nothing to correct.')
  const names = [...new Set(inputs.map(({ input }) => input))]
  if (names.length > 1) {
    throw conflict(
      `has several inputs (${names.join(', ')}), whose records go together, so that those of one cannot be run alone. ` +
        'Correct its files and send them whole.',
    )
  }
}

/** What has become of the records of a task's file, by it and by those that have corrected its rejects one after another. */
export interface Family {
  readonly records: number
  readonly accepted: number
  /** By the last of them. */
  readonly rejected: number
  /** Rejected, and not sent back with the others. */
  readonly left: number
}

/**
 * Undefined for a task that is neither a correction nor corrected. Corrections that have not succeeded have changed nothing.
 * @throws {AppError} internal, when the balances of the tasks do not add up.
 */
export async function familyOf(catalog: Pick<Catalog, 'getTask'>, task: Task): Promise<Family | undefined> {
  if (task.corrects === null && task.correctedBy === null) return undefined
  let first = task
  while (first.corrects !== null) first = await need(catalog, first.corrects)
  const balances: InputBalance[] = []
  for (let next: Task | undefined = first; next?.state === 'succeeded'; ) {
    balances.push(...Object.values(next.balances?.inputs ?? {}))
    next = next.correctedBy === null ? undefined : await need(catalog, next.correctedBy)
  }
  return addUp(balances)
}

/** @param balances those of the tasks, one after another. */
function addUp(balances: readonly InputBalance[]): Family {
  const left = balances.map(({ rejected }, i) => rejected - (balances[i + 1]?.records ?? rejected))
  const family = {
    records: balances[0]?.records ?? 0,
    accepted: sum(balances.map(({ accepted }) => accepted)),
    rejected: balances.at(-1)?.rejected ?? 0,
    left: sum(left),
  }
  const { records, accepted, rejected } = family
  if (records === accepted + rejected + family.left && left.every((one) => one >= 0)) return family
  throw new AppError('internal', 'Internal error', {
    cause: new Error(`corrections do not balance: ${JSON.stringify(balances)}`),
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}

async function need(catalog: Pick<Catalog, 'getTask'>, id: string): Promise<Task> {
  const task = await catalog.getTask(id)
  if (task !== undefined) return task
  throw new AppError('internal', 'Internal error', { cause: new Error(`there is no task ${id}`) })
}
