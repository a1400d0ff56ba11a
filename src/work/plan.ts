/** Dry runs: what a task would come to, and the hash by which a later one is held to it. */
import { createHash } from 'node:crypto'
import { AppError } from '../errors.ts'
import type { Params } from '../model.ts'
import { type Balances, checkBalances, type OutputBalance, type Plan } from '../balances.ts'
import type { ProducedFile, Report, Targets } from '../job.ts'
import { producedOf, type Shipment } from './deliver.ts'
import { tableSink } from './targets.ts'

/** What a plan is made for: the same plan is carried out only when all of it is the same. */
export interface Planned {
  /** The SHA-256 of each file, after the input that it is for, in the order in which they are read. */
  readonly files: readonly (readonly [input: string, sha256: string])[]
  /** What the files are called, which SQL can ask for. */
  readonly names: readonly string[]
  /** The pipeline's text. */
  readonly text: string
  readonly params: Params
  readonly targets: Targets
}

type Rehearsal = Pick<Shipment, 'engine' | 'sinks' | 'pipeline' | 'targets' | 'folder' | 'report' | 'signal' | 'fail'>

/** @throws {AppError} what the sinks throw when the rows could not be written. */
export async function planOf(planned: Planned, shipment: Rehearsal): Promise<Plan> {
  const outputs: Record<string, OutputBalance> = {}
  for (const file of shipment.report.outputs) outputs[file.name] = await rehearse(shipment, file)
  const balances = { inputs: shipment.report.inputs, outputs }
  checkBalances(balances)
  return { ...balances, hash: hashOf(planned, balances) }
}

/** Only where rows meet others is there anything to find out: whatever else there is to write is new. */
async function rehearse(rehearsal: Rehearsal, file: ProducedFile): Promise<OutputBalance> {
  const { sinks, pipeline, targets, signal } = rehearsal
  const { name, rows } = file
  const known = targets[name]
  if (known?.target.mode !== 'upsert' || known.columns === undefined) {
    return allNew(rows)
  }
  const sink = tableSink(sinks, name, pipeline.outputs[name]?.to ?? '')
  return await sink.rehearse(known.target, producedOf(rehearsal, file), signal)
}

/**
 * @param written what the rows for tables have come to; files are new in any case.
 * @throws {AppError} conflict, when what has been written is not what the plan says.
 */
export function checkPlan(
  hash: string | null | undefined,
  planned: Planned,
  { inputs, outputs: produced }: Pick<Report, 'inputs' | 'outputs'>,
  written: Balances['outputs'] = {},
): void {
  const files = produced.filter(({ name }) => !Object.hasOwn(written, name))
  const outputs = { ...written, ...Object.fromEntries(files.map(({ name, rows }) => [name, allNew(rows)])) }
  const balances = { inputs, outputs }
  if (hash === null || hash === undefined || hash === hashOf(planned, balances)) return
  const counts = Object.entries(balances.outputs).map(([output, { inserted, updated, unchanged }]) => {
    return `${output}: ${inserted} inserted, ${updated} updated, ${unchanged} unchanged`
  })
  throw new AppError(
    'conflict',
    `This is not what the plan says, so nothing was delivered. It would now come to ${counts.join('; ')}. ` +
      'The files, the pipeline, the params or the tables have changed since; look at a new dry run.',
    { details: { outputs: balances.outputs } },
  )
}

function allNew(rows: number): OutputBalance {
  return { produced: rows, inserted: rows, updated: 0, unchanged: 0, skipped: 0 }
}

function hashOf({ files, names, text, params, targets }: Planned, { inputs, outputs }: Balances): string {
  const whole = { files, names, text, params, targets, inputs, outputs }
  return createHash('sha256').update(JSON.stringify(whole, inOrder)).digest('hex')
}

/** Objects that are equal but for the order of their keys are the same. */
function inOrder(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
