/** What makes two tasks the same: the same files by their bytes, for the same inputs of the same pipeline, to the same end. */
import { createHash } from 'node:crypto'
import type { Params } from '../model.ts'
import { isForTable, type Pipeline } from '../definition.ts'
import { targetOf } from './outputs.ts'

export interface Repeatable {
  readonly pipeline: Pipeline
  readonly pipelineText: string
  readonly params: Params
  /** The name after which a table may be called. */
  readonly file: string
  /** In the order in which they are read; `content` is equal for equal bytes alone. */
  readonly inputs: readonly { readonly input: string; readonly content: string }[]
}

/**
 * Equal for tasks that would do the same; SHA-256, in hex.
 * @throws {AppError} unprocessable, when the params make no table.
 */
export function repeatKey({ pipeline, pipelineText, params, file, inputs }: Repeatable): string {
  const tables = Object.entries(pipeline.outputs).flatMap(([output, spec]) =>
    isForTable(spec) ? [[output, spec.to, targetOf(output, spec, params, file).table]] : [],
  )
  const given = Object.entries(params).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const files = inputs.map(({ input, content }) => [input, content])
  return createHash('sha256')
    .update(JSON.stringify([pipeline.name, pipelineText, given, tables, files]))
    .digest('hex')
}
