/** From what an engine has produced to where the outputs go: written first, all of them, and committed then. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import {
  type Balances,
  checkBalances,
  isForTable,
  type Output,
  type OutputBalance,
  type Params,
  type Pipeline,
  type Progress,
  type Target,
} from '../model.ts'
import { targetOf } from '../pipeline/outputs.ts'
import type { Delivery, Engine, JobTarget, Loading, Report, Sink } from '../ports.ts'

export type Sinks = ReadonlyMap<string, Sink>

/**
 * The tables that outputs go to, as they are now.
 * @param file the name of the first one that is read.
 * @param by the attempt that asks.
 * @param adds whether the rows come on top of those that another task has put there.
 * @throws {AppError} unprocessable, for a sink that nobody has configured; what the sinks throw.
 */
export async function targetsOf(
  sinks: Sinks,
  pipeline: Pipeline,
  params: Params,
  file: string,
  by: Loading | undefined,
  adds = false,
): Promise<Record<string, JobTarget>> {
  const targets: Record<string, JobTarget> = {}
  for (const [output, spec] of Object.entries(pipeline.outputs)) {
    if (!isForTable(spec)) continue
    const sink = findSink(sinks, output, spec.to)
    if (sink.kind !== 'tables') throw notOfTables(output, spec.to)
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
    targets[output] = { target, rows: sink.rows, columns: await sink.check(target, by) }
  }
  return targets
}

/** The tables that outputs would go to, if none of them were there yet: their rows come as CSV, to be looked at. */
export function plannedTargets(pipeline: Pipeline, params: Params, file: string): Record<string, JobTarget> {
  const specs = Object.entries(pipeline.outputs)
  return Object.fromEntries(
    specs.flatMap(([output, spec]): [string, JobTarget][] =>
      isForTable(spec)
        ? [[output, { target: targetOf(output, spec, params, file), rows: 'csv', columns: undefined }]]
        : [],
    ),
  )
}

export interface Shipment {
  readonly engine: Pick<Engine, 'rows'>
  readonly sinks: Sinks
  readonly pipeline: Pipeline
  readonly targets: Readonly<Record<string, JobTarget>>
  /** Equal on every attempt. */
  readonly task: string
  readonly attempt: number
  /** Where the report's files are. */
  readonly folder: string
  readonly report: Report
  /**
   * Asked when all is written and nothing committed: from then on there is no way back.
   * @throws {AppError} conflict, when the task is no longer this attempt's.
   */
  readonly onCommit: () => Promise<void>
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
  readonly fail: Fail
}

export interface Shipped {
  readonly balances: Balances
  readonly outputs: readonly Output[]
  /** Whether earlier attempts have committed all of it already; and whether a table has been written to since. */
  readonly state: 'new' | 'repeated' | 'superseded'
}

/** @throws {AppError} what the sinks throw; then nothing is delivered, unless an output was committed before. */
export async function deliverAll(shipment: Shipment): Promise<Shipped> {
  const { report, onCommit } = shipment
  await using deliveries = new AsyncDisposableStack()
  const written: Delivery[] = []
  for (const file of report.outputs) {
    const { engine, onProgress, folder, signal, fail } = shipment
    fail?.('before-register')
    const delivery = deliveries.use(await begin(shipment, file.name))
    fail?.('after-register')
    written.push(delivery)
    if (delivery.delivered !== undefined) continue
    const path = join(folder, file.file)
    const open = (until: AbortSignal) => {
      const rows =
        file.format === 'records' ? engine.rows(path, until) : createReadStream(path, { highWaterMark: 1 << 18 })
      return fail === undefined ? rows : Readable.from(failing(rows, fail), { objectMode: false })
    }
    await delivery.write(
      { ...file, path, open },
      {
        signal,
        from: 0,
        onProgress: (done) => onProgress({ phase: 'delivering', unit: 'rows', done, total: file.rows }),
      },
    )
  }
  shipment.fail?.('after-last-bytes')
  await onCommit()
  const outputs: Output[] = []
  const counts: Record<string, OutputBalance> = {}
  for (const delivery of written) {
    const { balance, output } = delivery.delivered ?? (await delivery.commit())
    outputs.push(output)
    counts[output.name] = balance
  }
  const balances = { inputs: report.inputs, outputs: counts }
  checkBalances(balances)
  return { balances, outputs, state: stateOf(written) }
}

async function* failing(rows: Readable, fail: NonNullable<Fail>): AsyncGenerator<Buffer> {
  fail('before-first-bytes')
  let first = true
  for await (const chunk of rows as AsyncIterable<Buffer>) {
    yield chunk
    if (first) fail('after-first-bytes')
    first = false
  }
  fail('before-last-bytes')
}

function stateOf(deliveries: readonly Delivery[]): Shipped['state'] {
  if (deliveries.length === 0 || deliveries.some(({ delivered }) => delivered === undefined)) return 'new'
  return deliveries.some(({ delivered }) => delivered?.superseded === true) ? 'superseded' : 'repeated'
}

function begin({ sinks, pipeline, targets, task, attempt }: Shipment, output: string): Promise<Delivery> {
  const { to = '' } = pipeline.outputs[output] ?? {}
  const sink = findSink(sinks, output, to)
  const id = { task, output }
  if (sink.kind === 'files') return sink.begin(id, attempt)
  const target = targets[output]?.target
  if (target === undefined) throw notOfTables(output, to)
  return sink.begin(id, attempt, target)
}

function findSink(sinks: Sinks, output: string, to: string): Sink {
  const sink = sinks.get(to)
  if (sink !== undefined) return sink
  const known = [...sinks.keys()].join(', ')
  throw new AppError(
    'unprocessable',
    `Output “${output}” goes to “${to}”, which is no sink. There are ${known}; ROWMILL_SINK_${to.toUpperCase()}_URL adds it.`,
    { details: { output } },
  )
}

function notOfTables(output: string, to: string): AppError {
  return new AppError('unprocessable', `Output “${output}” goes to “${to}”, which is no sink of tables.`)
}
