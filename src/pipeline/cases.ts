/**
 * `NAME.test.yaml`: what a pipeline must make of what. `docs/pipelines.md` shows the format.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { rejectCodes } from '../codes.ts'
import type { Params, TaskError } from '../model.ts'
import type { InputBalance } from '../balances.ts'
import { type LoadedPipeline, readText, shown } from './load.ts'
import { assignInputs } from './match.ts'
import { checkParams } from './params.ts'
import { instead, keyed, readYaml } from './yaml.ts'

const source = z.union([z.string(), keyed('a file', { file: z.string() })], {
  error: instead('the CSV itself or { file: PATH }, from where this file is'),
})

const count = z.int({ error: instead('a whole number') })

const reject = keyed('a mapping with line and code', {
  line: count,
  column: z
    .string({ error: instead('the name of a column') })
    .nullable()
    .default(null),
  code: z.enum(rejectCodes, { error: instead(`one of ${rejectCodes.join(', ')}`) }),
})

const balance = keyed('a mapping of counts', {
  records: count.optional(),
  accepted: count.optional(),
  rejected: count.optional(),
  blankLines: count.optional(),
})

const expectation = keyed('what must come out', {
  outputs: z
    .record(
      z.string(),
      z.union([z.string(), z.array(z.unknown())], { error: instead('its text or its list of objects') }),
    )
    .optional(),
  /** What is not named here must not be rejected. */
  rejects: z.array(reject, { error: instead('a list of rejects') }).default([]),
  error: z.string({ error: instead('the code of an error') }).optional(),
  balances: z.record(z.string(), balance).optional(),
}).refine((all) => all.outputs !== undefined || all.error !== undefined || all.rejects.length > 0, {
  error: 'expects nothing; name outputs, rejects or error',
})

const testCase = keyed('a case', {
  name: z.string({ error: instead('a sentence') }).min(1, 'is empty; write a sentence'),
  inputs: z.record(z.string(), source, { error: instead('a mapping of inputs to CSV') }),
  params: z.record(z.string(), z.unknown()).default({}),
  now: z.iso
    .datetime({ offset: true, error: instead('a time such as 2024-03-15T10:30:45Z') })
    .default('2000-01-01T00:00:00Z')
    .transform((text) => Date.parse(text)),
  expect: expectation,
})

const casesFile = keyed('a mapping with cases', {
  cases: z.array(testCase, { error: instead('a list of cases') }).min(1, 'is empty; write at least one case'),
})

export type Case = z.infer<typeof testCase>

export interface CaseJob {
  readonly inputs: readonly { readonly input: string; readonly name: string; readonly path: string }[]
  readonly params: Params
  readonly now: number
}

interface CaseReject {
  readonly line: number
  readonly column: string | null
  readonly code: string
}

export interface CaseRun {
  /** The text of every output that came out. */
  readonly outputs: Readonly<Record<string, string>>
  readonly rejects: readonly CaseReject[]
  readonly error: TaskError | null
  readonly balances: Readonly<Record<string, InputBalance>>
}

export interface CaseResult {
  readonly name: string
  /** What was not as expected, in lines for people; none when the case holds. */
  readonly differences: readonly string[]
}

/** Where the cases of a pipeline are: beside it. */
export function casesFileOf({ file }: Pick<LoadedPipeline, 'file'>): string {
  return file.replace(/\.yaml$/, '.test.yaml')
}

/** @throws {AppError} not_found without a file; unprocessable for one that cannot be read or has no case. */
export async function loadCases(file: string): Promise<Case[]> {
  const { cases } = readYaml(await readText(file), shown(file), casesFile)
  return cases.map((one) => ({
    ...one,
    inputs: Object.fromEntries(
      Object.entries(one.inputs).map(([input, given]) => [
        input,
        typeof given === 'string' ? given : { file: resolve(dirname(file), given.file) },
      ]),
    ),
  }))
}

/** Runs the cases one after another. CSV written in a case goes to `run` as a file named after its input. */
export async function runCases(
  loaded: LoadedPipeline,
  cases: readonly Case[],
  run: (job: CaseJob) => Promise<CaseRun>,
): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const one of cases) {
    const folder = await mkdtemp(join(tmpdir(), 'rowmill-case-'))
    try {
      results.push({ name: one.name, differences: compare(one.expect, await runCase(loaded, one, folder, run)) })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return results
}

async function runCase(
  { pipeline }: LoadedPipeline,
  { inputs, params, now }: Case,
  folder: string,
  run: (job: CaseJob) => Promise<CaseRun>,
): Promise<CaseRun> {
  try {
    const files = Object.entries(inputs).map(([input, given]) => ({
      input,
      name: typeof given === 'string' ? `${input}.csv` : basename(given.file),
      given,
    }))
    const assigned: CaseJob['inputs'][number][] = []
    for (const { input, file } of assignInputs(pipeline, files)) {
      const path = typeof file.given === 'string' ? join(folder, file.name) : file.given.file
      if (typeof file.given === 'string') await writeFile(path, file.given)
      assigned.push({ input, name: file.name, path })
    }
    return await run({ inputs: assigned, params: checkParams(pipeline, params), now })
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') throw error
    const { code, message } = error
    return { outputs: {}, rejects: [], error: { code, message }, balances: {} }
  }
}

function compare(expected: Case['expect'], { outputs, rejects, error, balances }: CaseRun): string[] {
  if (error?.code !== expected.error) {
    if (error === null) return [`expected the error ${expected.error}, but it succeeded`]
    return [`expected ${expected.error ?? 'success'}, but it failed: ${error.code}: ${error.message}`]
  }
  const differences = diff('rejects', expected.rejects.map(rejectText), rejects.map(rejectText))
  for (const [name, want] of Object.entries(expected.outputs ?? {})) {
    const got = Object.hasOwn(outputs, name) ? outputs[name] : undefined
    if (got === undefined) differences.push(`there is no output ${name}; there are: ${Object.keys(outputs).join(', ')}`)
    else if (typeof want === 'string') differences.push(...diff(name, want.split('\n'), got.split('\n')))
    else if (!isDeepStrictEqual(objects(got), want)) {
      differences.push(
        ...diff(
          name,
          want.map((object) => JSON.stringify(object)),
          objects(got).map((object) => JSON.stringify(object)),
        ),
      )
    }
  }
  for (const [input, want] of Object.entries(expected.balances ?? {})) {
    for (const [key, number] of Object.entries(want)) {
      const got = balances[input]?.[key as keyof InputBalance]
      if (number !== got) differences.push(`${input}: expected ${key} ${number}, got ${got ?? 'none'}`)
    }
  }
  return differences
}

function objects(ndjson: string): unknown[] {
  return ndjson
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))
}

function rejectText({ line, column, code }: CaseReject): string {
  return `line ${line}: ${code}${column === null ? '' : ` in ${column}`}`
}

const shownLines = 10

/** The lines between the common beginning and the common end: expected with -, got with +. */
function diff(what: string, expected: readonly string[], got: readonly string[]): string[] {
  let start = 0
  while (start < expected.length && start < got.length && expected[start] === got[start]) start++
  let end = 0
  while (end < Math.min(expected.length, got.length) - start && expected.at(-1 - end) === got.at(-1 - end)) end++
  const missing = expected.slice(start, expected.length - end)
  const extra = got.slice(start, got.length - end)
  if (missing.length === 0 && extra.length === 0) return []
  return [`${what}, from line ${start + 1}: expected -, got +`, ...marked('-', missing), ...marked('+', extra)]
}

function marked(sign: string, lines: readonly string[]): string[] {
  const rest = lines.length - shownLines
  return [
    ...lines.slice(0, shownLines).map((line) => `${sign} ${line}`),
    ...(rest > 0 ? [`${sign} … ${rest} more`] : []),
  ]
}
