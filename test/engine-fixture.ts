/** Jobs for the engine's tests: a pipeline over texts, run the way the child does. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { readRejects } from '../src/csv/listed.ts'
import { Kernel } from '../src/csv/kernel/kernel.ts'
import { runJob } from '../src/engine/run.ts'
import type { InputSpec, Pipeline } from '../src/definition.ts'
import { type ColumnType, plainField, plainSchema } from '../src/table-schema.ts'
import { parsePipeline } from '../src/pipeline/parse.ts'
import { type Job, jobFile, type Report } from '../src/job.ts'

export const nothing: Pipeline = {
  name: 'test',
  about: '',
  params: {},
  rejects: 'fail',
  inputs: { file: {} },
  outputs: {},
}

/** One for all jobs, as the child has it. */
const kernel = await Kernel.load()

/** Runs a job folder in this process, unwatched. */
export function runFolder(folder: string): Promise<Report> {
  return runJob(folder, { kernel, signal: new AbortController().signal, onProgress: () => {} })
}

export interface Result {
  readonly report: Report
  readonly files: Readonly<Record<string, string>>
  readonly flat: readonly string[]
}

/**
 * Runs a pipeline over texts, in a folder of its own. A file is for the input that its name begins with, before a dot
 * or a dash, or else for the first.
 * @param look sees the folder before it goes.
 */
export async function mill(
  pipeline: Partial<Pipeline>,
  texts: Readonly<Record<string, string | Buffer>>,
  more: Partial<Job> = {},
  look: (folder: string, report: Report) => Promise<void> = async () => {},
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-engine-'))
  try {
    const assigned = []
    for (const [name, text] of Object.entries(texts)) {
      const path = join(folder, String(assigned.length))
      await writeFile(path, text)
      assigned.push({ input: inputOf(name, Object.keys(pipeline.inputs ?? nothing.inputs)), name, path, sha256: null })
    }
    const job = {
      pipeline: { ...nothing, ...pipeline },
      params: {},
      inputs: assigned,
      targets: {},
      now: 0,
      memory: 500e6,
      threads: 2,
      unpacked: 1e9,
      ...more,
    }
    await writeFile(join(folder, jobFile), JSON.stringify(job))
    const report = await runFolder(folder)
    await look(folder, report)
    const files: Record<string, string> = {}
    for (const { name, file } of report.outputs) files[name] = await readFile(join(folder, file), 'utf8')
    if (report.rejects !== null) files['rejects'] = await readFile(join(folder, report.rejects.file), 'utf8')
    for (const { input, file } of report.rejects?.fixable ?? []) {
      files[`fixable ${input}`] = await readFile(join(folder, file), 'utf8')
    }
    return { report, files, flat: await readdir(join(folder, 'flat')) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

export function output(sql: string, format: 'csv' | 'ndjson' = 'csv') {
  return { to: 'results', format, sql } as const
}

function inputOf(file: string, names: readonly string[]): string {
  const stem = file.split(/[.-]/)[0]
  return names.find((name) => name === stem) ?? names[0] ?? ''
}

/** An input with these columns. */
export function declare(columns: Readonly<Record<string, ColumnType>>): InputSpec {
  return { schema: plainSchema(Object.entries(columns).map(([name, type]) => plainField(name, type))) }
}

/** The inputs that a pipeline's YAML declares. */
export function inputsOf(yaml: string): Pipeline['inputs'] {
  const text = `about: x\ninputs:\n${yaml.replaceAll(/^/gm, '  ')}\noutputs: { out: { to: results, sql: SELECT 1 } }\n`
  return parsePipeline('test', text, 'test.yaml').inputs
}

/** The rejects of a run as `LINE COLUMN CODE: MESSAGE`, one for each fault. */
export async function faults(result: Result): Promise<string[]> {
  const lines = result.files['rejects'] === undefined ? [] : await readRejects(Readable.from([result.files['rejects']]))
  return lines.map(({ line, column, code, message }) => `${line} ${column ?? '-'} ${code}: ${message}`)
}
