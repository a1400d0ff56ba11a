import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline as pipe } from 'node:stream/promises'
import { readRejects } from '../csv/listed.ts'
import { AppError } from '../errors.ts'
import { failAt } from '../failpoints.ts'
import { isFile, type Progress } from '../model.ts'
import { isForTable } from '../definition.ts'
import { loadPipelines, pipelineFolders } from '../pipeline/load.ts'
import { assignInputs } from '../pipeline/match.ts'
import { checkParams } from '../pipeline/params.ts'
import type { Engine } from '../ports.ts'
import type { ProducedFile, Report } from '../job.ts'
import { openTableSinks, tableSinkNames } from '../sinks/open.ts'
import type { Shipped } from '../work/deliver.ts'
import { runWhole } from '../work/ahead.ts'
import { digestsOf } from '../work/digests.ts'
import {
  aheadOf,
  deliverLocally,
  fingerprints,
  type LocalDelivery,
  type LocalRun,
  planLocally,
  type RunHow,
  runLocally,
} from '../work/local.ts'
import { checkPlan } from '../work/plan.ts'
import { limitsOf } from '../work/supervisor.ts'
import { targetsOf } from '../work/targets.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { errorText, inLine } from './harmless.ts'
import { tableLine } from './loaded.ts'
import { temporaryFull } from './places.ts'
import { planText } from './planned.ts'
import { profileTable } from './profile.ts'
import { type Meter, phases, quantity, withMeter } from './progress.ts'
import { fixableFiles, rejectsFile, rejectsTable, shownRejects } from './rejects.ts'
import { makeFolder, saveAll } from './save.ts'

export interface RunArgs {
  readonly pipeline: string
  readonly files: readonly string[]
  /** Where outputs and rejects go; a single output goes to stdout without it. */
  readonly output: string | undefined
  readonly params: Readonly<Record<string, string | string[]>>
  /** Whether tables get what they have had from the same run before. */
  readonly again: boolean
  /** Whether nothing is delivered, and only found out what would be. */
  readonly dryRun: boolean
  /** The plan that alone may be carried out. */
  readonly planHash: string | undefined
}

/** Runs a pipeline over local files: the same child as in the service, and no service. */
export async function run(args: RunArgs, engine: Engine, context: Context): Promise<ExitCode> {
  const { config, signal, stderr } = context
  const { pipeline, text } = (await loadPipelines(pipelineFolders(config.PIPELINES), tableSinkNames(config))).get(
    args.pipeline,
  )
  const params = checkParams(pipeline, args.params)
  const inputs = assignInputs(
    pipeline,
    args.files.map((path) => ({ name: basename(path), path })),
  ).map(({ input, file }) => ({ input, ...file }))
  const specs = Object.entries(pipeline.outputs)
  const outputs = specs.filter(([, spec]) => !isForTable(spec)).map(([name]) => name)
  const view = views[pipeline.name]
  if (args.output === undefined && outputs.length > 1 && view === undefined) {
    throw new AppError(
      'invalid',
      `${pipeline.name} has ${outputs.length} outputs (${outputs.join(', ')}). Add -o DIR to say where they go.`,
    )
  }
  if (args.output !== undefined && !args.dryRun) await makeFolder(args.output)

  const hasTables = outputs.length < specs.length
  // By what is in them a run is told from others.
  const isPlanned = hasTables || args.dryRun || args.planHash !== undefined
  const before = await fingerprints(inputs)
  const digests = isPlanned ? digestsOf(inputs, signal) : undefined
  digests?.catch(() => undefined)
  const fail = failAt(config.FAILPOINT, context.log)
  const sinks = await openTableSinks(config, fail, new Set(specs.map(([, { to }]) => to)))
  if (sinks.has('warehouse')) await makeFolder(config.DATA)
  const targets = await targetsOf(sinks, pipeline, { params, file: inputs[0]?.name ?? '' })
  const job = { pipeline, params, inputs, before, targets, now: Date.now(), ...limitsOf(config), signal }
  const planned = digests?.then((found) => {
    const files = inputs.map(({ input }, i) => [input, found[i]?.sha256 ?? ''] as const)
    return { files, names: inputs.map(({ name }) => name), text, params, targets }
  })
  planned?.catch(() => undefined)
  const deps = { engine, sinks, now: job.now, fail }
  const inFull: RunHow = planned !== undefined && hasTables && !args.dryRun ? aheadOf(deps, planned) : runWhole
  await using local = await withMeter(stderr, (meter) =>
    runLocally(engine, { ...job, onProgress: shownBy(meter) }, inFull),
  ).catch((error: unknown) => {
    // Whatever the engine writes, it writes there.
    throw error instanceof AppError && error.code === 'full' ? temporaryFull(error) : error
  })
  for (const { message } of local.report.warnings) stderr.write(`Warning: ${inLine(message)}\n`)
  const { again, planHash } = args
  const isSound = local.report.error === null
  const delivery = planned && { ...deps, job, run: local, planned: await planned, planHash, again, signal }
  if (args.dryRun) {
    if (isSound && delivery !== undefined) await tellPlan({ ...delivery, onProgress: () => {} }, context)
    return await tellEnd(local, undefined, context)
  }
  if (isSound && !hasTables && delivery !== undefined) checkPlan(planHash, delivery.planned, local.report)
  // Tables first: files of a run that its plan or a table has refused would pass for its results.
  if (isSound && hasTables && delivery !== undefined) {
    tellTables(await withMeter(stderr, (meter) => deliverLocally({ ...delivery, onProgress: shownBy(meter) })), context)
  }
  if (args.output !== undefined) await saveOutputs(local, args.output, context)
  else if (view !== undefined) await show(local, view, context)
  else await print(local, context)
  // Awaited, or the folder would be gone while the rejects are read.
  return await tellEnd(local, args.output, context)
}

function shownBy(meter: Meter): (progress: Progress) => void {
  return (progress) => meter.show(phases[progress.phase], progress)
}

async function tellPlan(delivery: LocalDelivery, { stdout, stderr }: Context): Promise<void> {
  const plan = await planLocally(delivery)
  stderr.write(planText(plan))
  stdout.write(`${plan.hash}\n`)
}

/** Outputs that are files. */
function filesOf({ outputs }: Report): readonly ProducedFile[] {
  return outputs.filter(({ columns }) => columns === undefined)
}

function tellTables({ outputs, balances, state }: Shipped, { stderr }: Context): void {
  for (const output of outputs) {
    if (isFile(output)) continue
    const line = tableLine(output, balances.outputs[output.name])
    stderr.write(
      state === 'repeated'
        ? `Nothing new: the same run has done this before. Add --again to do it once more.\n${line}\n`
        : `${line}\n`,
    )
  }
}

/** Pipelines whose outputs are made for looking at. Programs take them as files, by -o. */
const views: Readonly<Record<string, (outputs: Readonly<Record<string, string>>) => string>> = { profile: profileTable }

async function show(
  { folder, report }: LocalRun,
  view: (outputs: Readonly<Record<string, string>>) => string,
  { stdout }: Context,
): Promise<void> {
  if (report.error !== null) return
  const outputs: Record<string, string> = {}
  for (const { name, file } of filesOf(report)) outputs[name] = await readFile(join(folder, file), 'utf8')
  stdout.write(view(outputs))
}

async function print({ folder, report }: LocalRun, { signal, stdout }: Context): Promise<void> {
  for (const { file } of filesOf(report)) {
    await pipe(createReadStream(join(folder, file)), stdout, { signal, end: false })
  }
}

/** Outputs and rejects together, since one without the other would pass for the whole. */
async function saveOutputs({ folder, report }: LocalRun, output: string, { signal, stderr }: Context): Promise<void> {
  const { rejects } = report
  const outputs = filesOf(report)
  const files = [
    ...outputs.map(({ name, format, file }) => ({ file, path: join(output, `${name}.${format}`) })),
    ...(rejects === null ? [] : [{ file: rejects.file, path: join(output, rejectsFile) }]),
    ...fixableFiles(rejects?.fixable ?? []).map(({ file, path }) => ({ file, path: join(output, path) })),
  ]
  await saveAll(
    files.map(({ file, path }) => ({ path, open: () => createReadStream(join(folder, file)) })),
    signal,
  )
  for (const [i, { rows }] of outputs.entries()) stderr.write(`${files[i]?.path}: ${quantity(rows, 'rows')}\n`)
}

async function tellEnd({ folder, report }: LocalRun, output: string | undefined, context: Context): Promise<ExitCode> {
  const { stderr } = context
  if (report.rejects !== null) {
    const { file, count, fixable } = report.rejects
    stderr.write(rejectsTable(await readRejects(createReadStream(join(folder, file)), shownRejects), count))
    const kept =
      output === undefined ? 'Add -o DIR to keep the rejects as a file.' : `All rejects: ${join(output, rejectsFile)}`
    stderr.write(`${kept}\n`)
    const places = fixableFiles(fixable).map(({ path }) => join(output ?? '', path))
    if (output !== undefined) for (const place of places) stderr.write(`To correct: ${place}\n`)
  }
  if (report.error !== null) {
    stderr.write(`rowmill: ${errorText(report.error)}\n`)
    return exitCodes.failed
  }
  return report.rejects === null ? exitCodes.done : exitCodes.rejects
}
