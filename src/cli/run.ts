import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline as pipe } from 'node:stream/promises'
import { readRejects } from '../csv/listed.ts'
import { AppError } from '../errors.ts'
import type { Progress } from '../model.ts'
import { loadPipelines, pipelineFolders } from '../pipeline/load.ts'
import { assignInputs } from '../pipeline/match.ts'
import { checkParams } from '../pipeline/params.ts'
import type { Engine } from '../ports.ts'
import { type LocalRun, runLocally } from '../work/local.ts'
import { limitsOf } from '../work/supervisor.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { errorText, inLine } from './harmless.ts'
import { temporaryFull } from './places.ts'
import { profileTable } from './profile.ts'
import { createMeter, phases, quantity } from './progress.ts'
import { rejectsFile, rejectsTable, shownRejects } from './rejects.ts'
import { makeFolder, saveAll } from './save.ts'

export interface RunArgs {
  readonly pipeline: string
  readonly files: readonly string[]
  /** Where outputs and rejects go; a single output goes to stdout without it. */
  readonly output: string | undefined
  readonly params: Readonly<Record<string, string | string[]>>
}

/** Runs a pipeline over local files: the same child as in the service, and no service. */
export async function run(args: RunArgs, engine: Engine, context: Context): Promise<ExitCode> {
  const { config, signal, stderr } = context
  const { pipeline } = (await loadPipelines(pipelineFolders(config.PIPELINES))).get(args.pipeline)
  const params = checkParams(pipeline, args.params)
  const inputs = assignInputs(
    pipeline,
    args.files.map((path) => ({ name: basename(path), path })),
  ).map(({ input, file }) => ({ input, ...file }))
  const outputs = Object.keys(pipeline.outputs)
  const view = views[pipeline.name]
  if (args.output === undefined && outputs.length > 1 && view === undefined) {
    throw new AppError(
      'invalid',
      `${pipeline.name} has ${outputs.length} outputs (${outputs.join(', ')}). Add -o DIR to say where they go.`,
    )
  }
  if (args.output !== undefined) await makeFolder(args.output)

  const meter = createMeter(stderr)
  const onProgress = (progress: Progress) => meter.show(phases[progress.phase], progress)
  const job = { pipeline, params, inputs, now: Date.now(), ...limitsOf(config) }
  await using local = await runLocally(engine, { ...job, signal, onProgress })
    .catch((error: unknown) => {
      // Whatever the engine writes, it writes there.
      throw error instanceof AppError && error.code === 'full' ? temporaryFull(error) : error
    })
    .finally(() => meter[Symbol.dispose]())
  for (const { message } of local.report.warnings) stderr.write(`Warning: ${inLine(message)}\n`)
  if (args.output !== undefined) await deliver(local, args.output, context)
  else if (view !== undefined) await show(local, view, context)
  else await print(local, context)
  // Awaited, or the folder would be gone while the rejects are read.
  return await tellEnd(local, args.output, context)
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
  for (const { name, file } of report.outputs) outputs[name] = await readFile(join(folder, file), 'utf8')
  stdout.write(view(outputs))
}

async function print({ folder, report }: LocalRun, { signal, stdout }: Context): Promise<void> {
  for (const { file } of report.outputs) {
    await pipe(createReadStream(join(folder, file)), stdout, { signal, end: false })
  }
}

/** Outputs and rejects together, since one without the other would pass for the whole. */
async function deliver({ folder, report }: LocalRun, output: string, { signal, stderr }: Context): Promise<void> {
  const { outputs, rejects } = report
  const files = [
    ...outputs.map(({ name, format, file }) => ({ file, path: join(output, `${name}.${format}`) })),
    ...(rejects === null ? [] : [{ file: rejects.file, path: join(output, rejectsFile) }]),
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
    const { file, count } = report.rejects
    stderr.write(rejectsTable(await readRejects(createReadStream(join(folder, file)), shownRejects), count))
    const kept =
      output === undefined ? 'Add -o DIR to keep the rejects as a file.' : `All rejects: ${join(output, rejectsFile)}`
    stderr.write(`${kept}\n`)
  }
  if (report.error !== null) {
    stderr.write(`rowmill: ${errorText(report.error)}\n`)
    return exitCodes.failed
  }
  return report.rejects === null ? exitCodes.done : exitCodes.rejects
}
