import { AppError } from '../errors.ts'
import type { Pipeline } from '../definition.ts'
import { nearest } from '../nearest.ts'

/**
 * Says which file feeds which input, in the order of the files. A file that names its input gets it; else the only
 * input takes everything; else the input whose `match` fits the name does.
 * @throws {AppError} unprocessable: a file that fits no input or several, an input without a file.
 */
export function assignInputs<T extends FileForInput>(
  pipeline: Pipeline,
  files: readonly T[],
): { input: string; file: T }[] {
  const { assigned, problems } = assign(pipeline, files)
  for (const input of problems.length > 0 ? [] : missingInputs(pipeline, files)) {
    const glob = pipeline.inputs[input]?.match
    problems.push(`Input ${input} has no file. Give one${glob === undefined ? '' : ` whose name fits ${glob}`}.`)
  }
  refuse(pipeline, problems)
  return assigned
}

/**
 * The input that one file feeds.
 * @throws {AppError} unprocessable, when it fits none or several.
 */
export function inputOf(pipeline: Pipeline, file: FileForInput): string {
  const { assigned, problems } = assign(pipeline, [file])
  refuse(pipeline, problems)
  return assigned[0]?.input ?? ''
}

/** The inputs that none of the files feeds. */
export function missingInputs(pipeline: Pipeline, files: readonly FileForInput[]): string[] {
  const { assigned } = assign(pipeline, files)
  return Object.keys(pipeline.inputs).filter((input) => !assigned.some((one) => one.input === input))
}

interface FileForInput {
  readonly name: string
  readonly input?: string | undefined
}

function assign<T extends FileForInput>(pipeline: Pipeline, files: readonly T[]) {
  const inputs = Object.keys(pipeline.inputs)
  const problems: string[] = []
  const assigned: { input: string; file: T }[] = []
  for (const file of files) {
    const candidates =
      file.input === undefined ? matching(pipeline, file.name) : inputs.filter((one) => one === file.input)
    const [input] = candidates
    if (input !== undefined && candidates.length === 1) assigned.push({ input, file })
    else
      problems.push(
        file.input === undefined ? misfit(pipeline, file.name, candidates) : unknownInput(file.input, inputs),
      )
  }
  return { assigned, problems }
}

function refuse({ name }: Pipeline, problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new AppError('unprocessable', `Pipeline ${name}: ${problems.join('\n')}`, { details: { problems } })
}

/**
 * Whether a name fits a glob: `*` is any text, `/` included, `?` one character. Case and the composition of accents do
 * not count, since file systems and their users do not agree on them.
 * Takes at most the product of both lengths: only the last `*` is ever tried again.
 */
export function fits(name: string, glob: string): boolean {
  const text = characters(name)
  const pattern = characters(glob)
  let t = 0
  let p = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
      t++
      p++
    } else if (star !== -1) {
      p = star + 1
      t = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

function characters(text: string): string[] {
  return Array.from(text.normalize('NFC').toLowerCase())
}

function matching({ inputs }: Pipeline, name: string): string[] {
  const names = Object.keys(inputs)
  if (names.length === 1) return names
  return names.filter((input) => {
    const glob = inputs[input]?.match
    return glob !== undefined && fits(name, glob)
  })
}

function misfit({ inputs }: Pipeline, name: string, candidates: readonly string[]): string {
  if (candidates.length > 1) {
    return `File ${name} fits several inputs: ${candidates.join(', ')}. Say which one is meant, or rename the file.`
  }
  const globs = Object.entries(inputs).map(([input, { match }]) => `${input} (${match ?? 'only when named'})`)
  return `File ${name} fits no input: ${globs.join(', ')}. Say which one is meant, or rename the file.`
}

function unknownInput(input: string, known: readonly string[]): string {
  const near = nearest(input, known)
  return `There is no input ${input}. ${near === undefined ? `There are: ${known.join(', ')}.` : `Did you mean ${near}?`}`
}
