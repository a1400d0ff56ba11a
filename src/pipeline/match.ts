import { AppError } from '../errors.ts'
import type { Pipeline } from '../model.ts'
import { nearest } from '../nearest.ts'

/**
 * Says which file feeds which input, in the order of the files. A file that names its input gets it; else the only
 * input takes everything; else the input whose `match` fits the name does.
 * @throws {AppError} unprocessable: a file that fits no input or several, an input without a file.
 */
export function assignInputs<T extends { name: string; input?: string | undefined }>(
  pipeline: Pipeline,
  files: readonly T[],
): { input: string; file: T }[] {
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
  for (const input of inputs) {
    if (problems.length > 0 || assigned.some((one) => one.input === input)) continue
    const glob = pipeline.inputs[input]?.match
    problems.push(`Input ${input} has no file. Give one${glob === undefined ? '' : ` whose name fits ${glob}`}.`)
  }
  if (problems.length === 0) return assigned
  throw new AppError('unprocessable', `Pipeline ${pipeline.name}: ${problems.join('\n')}`, { details: { problems } })
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
