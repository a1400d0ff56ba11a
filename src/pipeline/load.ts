import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError, errnoOf } from '../errors.ts'
import { isForTable, type Pipeline } from '../definition.ts'
import { nearest } from '../nearest.ts'
import { fileSinks } from './outputs.ts'
import { parsePipeline } from './parse.ts'
import { locate, oneOf, type Problem } from './yaml.ts'

export interface LoadedPipeline {
  readonly name: string
  readonly file: string
  readonly text: string
  readonly pipeline: Pipeline
}

export interface Pipelines {
  /** By name. */
  list(): readonly LoadedPipeline[]
  /** @throws {AppError} not_found, with the name that was perhaps meant and all that there are. */
  get(name: string): LoadedPipeline
}

export interface PipelineFile {
  readonly name: string
  readonly file: string
}

/** The pipelines that Rowmill brings. */
export function builtInFolder(): string {
  return fileURLToPath(new URL('../../pipelines', import.meta.url))
}

/** Where pipelines are looked for: the built-in ones, then the user's own. */
export function pipelineFolders(own: string | undefined): string[] {
  return own === undefined ? [builtInFolder()] : [builtInFolder(), own]
}

/** How messages name a file: from the current folder when it is below it. */
export function shown(file: string): string {
  const path = relative(process.cwd(), file)
  return path.startsWith('..') ? file : path
}

/**
 * Every pipeline of the folders, `NAME.yaml` each; `NAME.test.yaml` holds its cases.
 * @param sinks those of tables that there are; undefined where nobody is going to run them.
 * @throws {AppError} unprocessable, with everything that is wrong in any of them: one broken file must not be found out
 * by the first who uses it.
 */
export async function loadPipelines(folders: readonly string[], sinks?: ReadonlySet<string>): Promise<Pipelines> {
  const files = await pipelineFiles(folders)
  const broken: AppError[] = []
  const loaded: LoadedPipeline[] = []
  for (const { name, file } of files) {
    try {
      loaded.push(await loadPipeline(name, file, sinks))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      broken.push(error)
    }
  }
  if (broken.length > 0) {
    const problems = broken.flatMap(({ details }) => (details?.['problems'] ?? []) as Problem[])
    throw new AppError('unprocessable', broken.map(({ message }) => message).join('\n'), { details: { problems } })
  }

  const byName = new Map(loaded.map((one) => [one.name, one]))
  return {
    list: () => loaded,
    get: (name) => {
      const found = byName.get(name)
      if (found !== undefined) return found
      throw unknownPipeline(
        name,
        loaded.map((one) => one.name),
      )
    },
  }
}

/** @throws {AppError} unprocessable, with the file's problems; not_found, when there is no such file. */
export async function loadPipeline(name: string, file: string, sinks?: ReadonlySet<string>): Promise<LoadedPipeline> {
  const text = await readText(file)
  const pipeline = parsePipeline(name, text, shown(file))
  if (sinks !== undefined) refuseUnknownSinks(pipeline, text, shown(file), sinks)
  return { name, file, text, pipeline }
}

function refuseUnknownSinks({ outputs }: Pipeline, text: string, file: string, sinks: ReadonlySet<string>): void {
  const problems = Object.entries(outputs)
    .filter(([, spec]) => isForTable(spec) && !sinks.has(spec.to))
    .map(([output, { to }]): Problem => {
      const known = [...fileSinks, ...sinks]
      const hint = `write ${oneOf(known)}, or set ROWMILL_SINK_${to.toUpperCase()}_URL`
      const { line } = locate(text, ['outputs', output, 'to'])
      return { file, line, message: `outputs.${output}.to is “${to}”, which is no sink; ${hint}` }
    })
  if (problems.length === 0) return
  const message = problems.map(({ line, message: what }) => `${file}:${line}: ${what}`).join('\n')
  throw new AppError('unprocessable', message, { details: { problems } })
}

/**
 * The pipelines of the folders by name, unread.
 * @throws {AppError} not_found for a folder that is not there; unprocessable for a name that is none or comes twice.
 */
export async function pipelineFiles(folders: readonly string[]): Promise<PipelineFile[]> {
  const found = new Map<string, string>()
  const problems: Problem[] = []
  for (const folder of folders) {
    for (const entry of (await list(folder)).toSorted()) {
      const file = join(folder, entry)
      const problem = (message: string) => problems.push({ file: shown(file), line: 1, message })
      if (entry.endsWith('.yml')) problem('is not read; rename it to .yaml')
      if (!entry.endsWith('.yaml') || entry.endsWith('.test.yaml')) continue
      const name = nameOf(entry)
      const twin = found.get(name)
      if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) {
        problem('names no pipeline; write a to z, 0 to 9, - and _, a letter first, at most 63 characters')
      } else if (twin !== undefined) {
        problem(`the pipeline ${name} is also in ${shown(twin)}; rename one of them`)
      } else found.set(name, file)
    }
  }
  if (problems.length > 0) {
    const message = problems.map(({ file, message: what }) => `${file}: ${what}`).join('\n')
    throw new AppError('unprocessable', message, { details: { problems } })
  }
  return [...found].map(([name, file]) => ({ name, file })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** A pipeline is called what its file is called. */
export function nameOf(file: string): string {
  return basename(file).replace(/\.yaml$/, '')
}

export function unknownPipeline(name: string, known: readonly string[]): AppError {
  const near = nearest(name, known)
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return new AppError('not_found', `There is no pipeline ${name}.${hint} There are: ${known.join(', ')}.`)
}

/** @throws {AppError} not_found; invalid, when it is there but cannot be read. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') {
      throw new AppError('not_found', `There is no file ${shown(file)}. Check the path.`, { cause })
    }
    throw new AppError('invalid', `${shown(file)} cannot be read (${errnoOf(cause)}).`, { cause })
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    const message = `The folder of pipelines ${folder} cannot be read (${errnoOf(cause)}). Check ROWMILL_PIPELINES.`
    throw new AppError('not_found', message, { cause })
  }
}
