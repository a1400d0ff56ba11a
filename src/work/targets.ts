/** Which tables the outputs of a pipeline go to, and in which sinks these are. */
import { AppError } from '../errors.ts'
import type { Params, Target, Task } from '../model.ts'
import { isForTable, type Pipeline } from '../definition.ts'
import { targetOf } from '../pipeline/outputs.ts'
import type { Catalog, Loading, Sink, TableSink } from '../ports.ts'
import type { JobTarget, Targets } from '../job.ts'

export type Sinks = ReadonlyMap<string, Sink>

/** What is about to be loaded. */
export interface Load {
  readonly params: Params
  /** The name of the first file that is read. */
  readonly file: string
  /** The attempt that asks. */
  readonly by?: Loading
  /** Whether the rows come on top of those that another task has put there. */
  readonly adds?: boolean
  /** The tables that have had the rows already. */
  readonly done?: Targets
}

/**
 * The tables that outputs go to, as they are now, or were when they got their rows.
 * @throws {AppError} unprocessable, for a sink that nobody has configured; what the sinks throw.
 */
export async function targetsOf(sinks: Sinks, pipeline: Pipeline, load: Load): Promise<Targets> {
  const { params, file, by, adds = false, done = {} } = load
  const targets: Record<string, JobTarget> = {}
  for (const [output, spec] of Object.entries(pipeline.outputs)) {
    if (!isForTable(spec)) continue
    const sink = tableSink(sinks, output, spec.to)
    const first = targetOf(output, spec, params, file)
    const target: Target = adds && first.mode === 'replace' ? { ...first, mode: 'append' } : first
    const twin = Object.entries(targets).find(([other, one]) => {
      return pipeline.outputs[other]?.to === spec.to && one.target.table === target.table
    })
    if (twin !== undefined) {
      throw new AppError(
        'unprocessable',
        `Outputs ${twin[0]} and ${output} go to one table, ${target.table} of ${spec.to}. Make them one by UNION ALL.`,
      )
    }
    targets[output] = done[output] ?? { target, rows: sink.rows, columns: await sink.check(target, by) }
  }
  return targets
}

/**
 * The tables that have had all the rows of a task already, as they were before: they may look different since. To be
 * asked of a task whose commit had begun; from then on no earlier attempt delivers anything.
 * @throws {AppError} what the sinks throw.
 */
export async function deliveredTargets(
  sinks: Sinks,
  pipeline: Pipeline,
  { id, delivery, attempt }: Pick<Task, 'id' | 'delivery' | 'attempt'>,
  catalog: Pick<Catalog, 'targets'>,
): Promise<Targets> {
  const done: Record<string, JobTarget> = {}
  for (const [output, begun] of Object.entries((await catalog.targets(id)) ?? {})) {
    const sink = tableSink(sinks, output, pipeline.outputs[output]?.to ?? '')
    await using earlier = await sink.begin({ task: delivery, output }, attempt, begun.target)
    if (earlier.delivered !== undefined) done[output] = begun
  }
  return done
}

/** The tables that outputs would go to, if none of them were there yet: their rows come as CSV, to be looked at. */
export function plannedTargets(pipeline: Pipeline, params: Params, file: string): Targets {
  const specs = Object.entries(pipeline.outputs)
  return Object.fromEntries(
    specs.flatMap(([output, spec]): [string, JobTarget][] =>
      isForTable(spec)
        ? [[output, { target: targetOf(output, spec, params, file), rows: 'csv', columns: undefined }]]
        : [],
    ),
  )
}

/** @throws {AppError} unprocessable, when there is none of this name. */
export function findSink(sinks: Sinks, output: string, to: string): Sink {
  const sink = sinks.get(to)
  if (sink !== undefined) return sink
  const known = [...sinks.keys()].join(', ')
  throw new AppError(
    'unprocessable',
    `Output “${output}” goes to “${to}”, which is no sink. There are ${known}; ROWMILL_SINK_${to.toUpperCase()}_URL adds it.`,
    { details: { output } },
  )
}

/** @throws {AppError} unprocessable, when there is none of this name, or it takes no tables. */
export function tableSink(sinks: Sinks, output: string, to: string): TableSink {
  const sink = findSink(sinks, output, to)
  if (sink.kind === 'tables') return sink
  throw new AppError('unprocessable', `Output “${output}” goes to “${to}”, which is no sink of tables.`)
}
