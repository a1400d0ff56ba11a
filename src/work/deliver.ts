/** From what an engine has produced to where the outputs go: written first, all of them, and committed then. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Output, Progress } from '../model.ts'
import type { Pipeline } from '../definition.ts'
import { type Balances, checkBalances, type OutputBalance } from '../balances.ts'
import type { Delivery, Engine, Produced } from '../ports.ts'
import type { ProducedFile, Report, Targets } from '../job.ts'
import { counted } from './counted.ts'
import { findSink, type Sinks, tableSink } from './targets.ts'

export interface Shipment {
  readonly engine: Pick<Engine, 'rows'>
  readonly sinks: Sinks
  readonly pipeline: Pipeline
  readonly targets: Targets
  /** Under which its files are kept. */
  readonly task: string
  /** By which databases know its rows; equal on every attempt, and on those of a task that goes on with it. */
  readonly delivery: string
  readonly attempt: number
  /** Where the report's files are. */
  readonly folder: string
  readonly report: Report
  /**
   * Asked when all is written and not all committed: from then on there is no way back. Told what all comes to.
   * @throws {AppError} conflict, when it must not be committed.
   */
  readonly onCommit: (balances: Balances) => Promise<void>
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
  readonly fail: Fail
  /** Outputs that are written already, by their names. */
  readonly written?: ReadonlyMap<string, Written>
}

/** An output on its way, and what it comes to. */
export interface Written {
  readonly delivery: Delivery
  readonly balance: OutputBalance
}

export interface Shipped {
  readonly balances: Balances
  readonly outputs: readonly Output[]
  /** Whether earlier attempts have committed all of it already; and whether a table has been written to since. */
  readonly state: 'new' | 'repeated' | 'superseded'
}

type Begun = Pick<Shipment, 'sinks' | 'pipeline' | 'targets' | 'task' | 'delivery' | 'attempt'>

/** @throws {AppError} what the sinks throw; then nothing is delivered, unless an output was committed before. */
export async function deliverAll(shipment: Shipment): Promise<Shipped> {
  const { report, fail, written } = shipment
  await using deliveries = new AsyncDisposableStack()
  const all: Written[] = []
  const counts: Record<string, OutputBalance> = {}
  for (const file of report.outputs) {
    const one = written?.get(file.name) ?? (await write(shipment, file, (delivery) => deliveries.use(delivery)))
    if (one.delivery.delivered === undefined) checkProduced(file, one.balance)
    all.push(one)
    counts[file.name] = one.balance
  }
  fail?.('after-last-bytes')
  const balances = { inputs: report.inputs, outputs: counts }
  checkBalances(balances)
  const isNew = all.length === 0 || all.some(({ delivery }) => delivery.delivered === undefined)
  if (isNew) await shipment.onCommit(balances)
  const outputs: Output[] = []
  for (const { delivery } of all) outputs.push((delivery.delivered ?? (await delivery.commit())).output)
  return { balances, outputs, state: stateOf(all.map(({ delivery }) => delivery)) }
}

/**
 * Everything but the commit.
 * @param own is given the delivery, to be disposed at the end, before there is anything to take back.
 */
export async function write(
  shipment: Omit<Shipment, 'report' | 'onCommit'>,
  file: ProducedFile,
  own: (delivery: Delivery) => void,
  isGuess = false,
): Promise<Written> {
  const { signal, fail } = shipment
  fail?.('before-register')
  const delivery = await begin(shipment, file.name)
  own(delivery)
  fail?.('after-register')
  if (delivery.delivered !== undefined) return { delivery, balance: delivery.delivered.balance }
  const onProgress = (rows: number) => tell(shipment, file, rows)
  const produced = { ...producedOf(shipment, file, onProgress), isGuess }
  return { delivery, balance: await delivery.write(produced, { signal, from: 0, onProgress }) }
}

/** @param onProgress is told how many rows have gone by, where they do. */
export function producedOf(
  { engine, folder, fail }: Pick<Shipment, 'engine' | 'folder' | 'fail'>,
  file: ProducedFile,
  onProgress: (rows: number) => void = () => {},
): Produced {
  const path = join(folder, file.file)
  const open = (until: AbortSignal) => {
    const seen = counted(file.format === 'records' ? engine.rows(path, until) : bytesOf(path), onProgress)
    // Chunk by chunk: a stream of bytes would join what is waiting, which costs more than all else that is done here.
    return Readable.from(fail === undefined ? seen : failing(seen, fail))
  }
  return { ...file, path, open }
}

/** The file is opened by who reads of it: a stream that nobody reads keeps it open, and its space with it. */
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 1 << 18 })
}

function tell({ onProgress }: Pick<Shipment, 'onProgress'>, { rows: total }: ProducedFile, rows: number): void {
  onProgress({ phase: 'delivering', unit: 'rows', done: Math.min(rows, total), total })
}

/** What a sink has counted is what the engine has made, or nothing may be committed. */
function checkProduced({ name, rows }: ProducedFile, { produced }: OutputBalance): void {
  if (produced === rows) return
  const cause = new Error(`output ${name} has ${rows} rows, and its sink tells of ${produced}`)
  throw new AppError('internal', 'Internal error', { cause })
}

async function* failing(rows: AsyncIterable<Buffer>, fail: NonNullable<Fail>): AsyncGenerator<Buffer> {
  fail('before-first-bytes')
  let first = true
  for await (const chunk of rows) {
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

function begin({ sinks, pipeline, targets, task, delivery, attempt }: Begun, output: string): Promise<Delivery> {
  const { to = '' } = pipeline.outputs[output] ?? {}
  const target = targets[output]?.target
  if (target !== undefined) return tableSink(sinks, output, to).begin({ task: delivery, output }, attempt, target)
  const sink = findSink(sinks, output, to)
  if (sink.kind === 'files') return sink.begin({ task, output }, attempt)
  throw new RangeError(`output ${output} has no target`)
}
