/** What a task takes over from the one whose rejects it corrects. */
import { AppError } from '../errors.ts'
import type { Task } from '../model.ts'
import type { Catalog } from '../ports.ts'

export interface Origin {
  /** The name of the first file of all, after which a table may be called. */
  readonly file: string
  /** How many records there are to be corrected; undefined for a task that corrects none. */
  readonly corrects: number | undefined
}

/** @throws {AppError} unprocessable, when the task that is corrected is gone. */
export async function originOf(catalog: Pick<Catalog, 'getTask'>, { corrects, inputs }: Task): Promise<Origin> {
  if (corrects === null) return { file: inputs[0]?.name ?? '', corrects: undefined }
  const parent = await catalog.getTask(corrects)
  if (parent === undefined) throw new AppError('unprocessable', `Task ${corrects}, which this one corrects, is gone.`)
  const { file } = await originOf(catalog, parent)
  const rejected = Object.values(parent.balances?.inputs ?? {}).map((balance) => balance.rejected)
  return { file, corrects: rejected.reduce((all, one) => all + one, 0) }
}
