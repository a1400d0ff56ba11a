import { AppError } from '../errors.ts'
import { locateRule } from '../pipeline/inputs.ts'
import {
  type LoadedPipeline,
  loadPipeline,
  loadPipelines,
  nameOf,
  pipelineFiles,
  pipelineFolders,
  readText,
  shown,
  unknownPipeline,
} from '../pipeline/load.ts'
import { locate } from '../pipeline/yaml.ts'
import { tableSinkNames } from '../sinks/open.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { table } from './table.ts'

export async function listPipelines({ config, stdout }: Context): Promise<ExitCode> {
  const pipelines = await loadPipelines(pipelineFolders(config.PIPELINES), tableSinkNames(config))
  stdout.write(table(pipelines.list().map(({ name, pipeline }) => [name, pipeline.about])))
  return exitCodes.done
}

export async function showPipeline({ name }: { name: string }, context: Context): Promise<ExitCode> {
  // Only this one is read: another may be broken, or be the file that this very output is about to fill.
  for (const { file } of await find([name], context)) context.stdout.write(await readText(file))
  return exitCodes.done
}

/** Checks pipelines, by name or file, all without one: first the YAML, then the SQL of every output. */
export async function lintPipelines({ targets }: { targets: readonly string[] }, context: Context): Promise<ExitCode> {
  const { stdout } = context
  let sound = true
  for (const { name, file } of await find(targets, context)) {
    const problems = await lint(name, file, tableSinkNames(context.config))
    if (problems.length === 0) stdout.write(`✓ ${name}\n`)
    else sound = false
    for (const problem of problems) stdout.write(`${problem}\n`)
  }
  return sound ? exitCodes.done : exitCodes.failed
}

async function lint(name: string, file: string, sinks: ReadonlySet<string>): Promise<string[]> {
  let loaded: LoadedPipeline
  try {
    loaded = await loadPipeline(name, file, sinks)
  } catch (error) {
    if (error instanceof AppError && error.code === 'unprocessable') return error.message.split('\n')
    throw error
  }
  const { lintPipeline } = await import('../engine/lint.ts')
  const { rules, sql } = await lintPipeline(loaded.pipeline)
  const broken = rules.map((problem) => {
    const { path, line } = locateRule(loaded.text, loaded.pipeline, problem)
    return `${shown(file)}:${line}: ${path} ${problem.message}`
  })
  const failing = sql.map(({ output, line, message }) => {
    const text = locate(loaded.text, ['outputs', output, 'sql'])
    // Only a literal block keeps the lines of its SQL.
    return `${shown(file)}:${text.literal ? text.line + line - 1 : text.line}: outputs.${output}.sql: ${message}`
  })
  return [...broken, ...failing]
}

/** The pipelines meant, by name or by file; all there are when none is named. */
async function find(targets: readonly string[], { config }: Context) {
  const known = await pipelineFiles(pipelineFolders(config.PIPELINES))
  if (targets.length === 0) return known
  return targets.map((target) => {
    if (target.endsWith('.yaml')) return { name: nameOf(target), file: target }
    const found = known.find(({ name }) => name === target)
    if (found !== undefined) return found
    throw unknownPipeline(
      target,
      known.map(({ name }) => name),
    )
  })
}

/** Runs the cases beside each pipeline, for real; a pipeline without any fails. */
export async function testPipelines({ targets }: { targets: readonly string[] }, context: Context): Promise<ExitCode> {
  const { stdout } = context
  const { casesFileOf, loadCases, runCases } = await import('../pipeline/cases.ts')
  const { openCaseEngine } = await import('./case.ts')
  await using engine = openCaseEngine(context)
  let failed = 0
  let held = 0
  for (const { name, file } of await find(targets, context)) {
    const loaded = await loadPipeline(name, file)
    const tell = (what: string, differences: readonly string[]) => {
      if (differences.length === 0) held++
      else failed++
      stdout.write(`${differences.length === 0 ? '✓' : '✗'} ${name}: ${what}\n`)
      for (const line of differences) stdout.write(`    ${line}\n`)
    }
    try {
      const cases = await loadCases(casesFileOf(loaded))
      for (const { name: what, differences } of await runCases(loaded, cases, (job) => engine.run(loaded, job))) {
        tell(what, differences)
      }
    } catch (error) {
      if (!(error instanceof AppError) || !['not_found', 'unprocessable'].includes(error.code)) throw error
      tell('has no cases that can be run', error.message.split('\n'))
    }
  }
  stdout.write(`${held} of ${held + failed} cases hold.\n`)
  return failed === 0 ? exitCodes.done : exitCodes.failed
}
