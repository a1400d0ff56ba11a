import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline as pipe } from 'node:stream/promises'
import { AppError } from '../errors.ts'
import type { Progress } from '../model.ts'
import { loadPipelines, pipelineFolders } from '../pipeline/load.ts'
import { assignInputs } from '../pipeline/match.ts'
import { checkParams } from '../pipeline/params.ts'
import { readRejects } from '../pipeline/rejects.ts'
import type { Engine } from '../ports.ts'
import { type LocalRun, runLocally } from '../work/local.ts'
import { limitsOf } from '../work/supervisor.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { profileTable } from './profile.ts'
import { createMeter, phases, quantity } from './progress.ts'
import { rejectsTable, shownRejects } from './rejects.ts'
import { makeFolder, save } from './save.ts'

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
  await using local = await runLocally(engine, { ...job, signal, onProgress }).finally(() => meter[Symbol.dispose]())
  for (const { message } of local.report.warnings) stderr.write(`Warning: ${message}\n`)
  if (args.output === undefined && view !== undefined) await show(local, view, context)
  else await deliver(local, args.output, context)
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

async function deliver({ folder, report }: LocalRun, output: string | undefined, context: Context): Promise<void> {
  const { signal, stdout, stderr } = context
  for (const { name, format, file, rows } of report.outputs) {
    const source = createReadStream(join(folder, file))
    if (output === undefined) {
      await pipe(source, stdout, { signal, end: false })
      continue
    }
    const path = join(output, `${name}.${format}`)
    await save(source, path, signal)
    stderr.write(`${path}: ${quantity(rows, 'rows')}\n`)
  }
}

async function tellEnd({ folder, report }: LocalRun, output: string | undefined, context: Context): Promise<ExitCode> {
  const { signal, stderr } = context
  if (report.rejects !== null) {
    const { file, count } = report.rejects
    stderr.write(rejectsTable(await readRejects(createReadStream(join(folder, file)), shownRejects), count))
    const path = output === undefined ? undefined : join(output, 'rejects.csv')
    if (path !== undefined) await save(createReadStream(join(folder, file)), path, signal)
    stderr.write(path === undefined ? 'Add -o DIR to keep the rejects as a file.\n' : `All rejects: ${path}\n`)
  }
  if (report.error !== null) {
    stderr.write(`rowmill: ${report.error.message}\n`)
    return exitCodes.failed
  }
  return report.rejects === null ? exitCodes.done : exitCodes.rejects
}
