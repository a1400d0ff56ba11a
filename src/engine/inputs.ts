/** The files of a job, read: what their records are, and which columns they have under the pipeline's contract. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile as readText, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { merge } from '../csv/evidence.ts'
import { infer } from '../csv/infer.ts'
import type { Kernel } from '../csv/kernel/kernel.ts'
import { readBeginning, readFile, readFlat, type Reading, type ReadOptions } from '../csv/read.ts'
import { columnWarnings } from '../csv/report.ts'
import type { Scan } from '../csv/halves.ts'
import { AppError, errnoOf } from '../errors.ts'
import type { Params } from '../model.ts'
import { type InputSpec, type ReaderOptions, readerPrefix } from '../definition.ts'
import { plainField, plainSchema } from '../table-schema.ts'
import type { RunOptions } from '../ports.ts'
import type { Job, JobInput } from '../job.ts'
import { type Column, matchColumns, nameColumns, undeclaredField } from './columns.ts'
import { correctionIn, fixableForm, labelsOf, placed } from './correction.ts'
import type { Rejects } from './rejects.ts'
import type { InputFile } from './relation.ts'
import { mayPass } from './pass.ts'

/** What reading a job's nth file may leave behind, by which DuckDB may read it. */
export function pathsOf(folder: string, file: number): string[] {
  const scratch = scratchOf(folder, file)
  return ['bytes', 'text', 'flat'].map((ending) => `${scratch}.${ending}`)
}

/** Where that is kept which was found out about a job's nth file while its rows were written. */
export function scanOf(folder: string, file: number): string {
  return `${scratchOf(folder, file)}.scan`
}

function scratchOf(folder: string, file: number): string {
  return join(folder, 'flat', String(file))
}

/** How a job is run in the process that does it. */
export interface JobOptions extends RunOptions {
  /** Reads the records. Jobs may share it, one after another. */
  readonly kernel: Kernel
}

export class Inputs {
  readonly #folder: string
  readonly #job: Job
  readonly #rejects: Rejects
  readonly #options: JobOptions
  /** Whether no copy may be needed, since the rows are passed on by the reader itself. */
  readonly #mayPass: boolean
  /** For the progress: bytes of the files that are read, and of all. */
  #read = 0
  #total: number | null = null

  constructor(folder: string, job: Job, rejects: Rejects, options: JobOptions) {
    this.#folder = folder
    this.#job = job
    this.#rejects = rejects
    this.#options = options
    this.#mayPass = mayPass(job)
  }

  /**
   * Reads every file, each the quickest way it allows. Where an input declares no columns, its first file does so for
   * the others, and the cells of all of them tell the types.
   * @throws {AppError} rejected, when a file is no CSV or not the one that the pipeline expects.
   */
  async read(): Promise<InputFile[]> {
    const files: InputFile[] = []
    const sizes = await Promise.all(this.#job.inputs.map(async ({ path }) => (await stat(path)).size))
    this.#total = sizes.reduce((sum, size) => sum + size, 0)
    for (const [file, input] of this.#job.inputs.entries()) {
      await verify(input, this.#options.signal)
      const reading = await readFile(input.path, { ...this.#reading(file, input), known: await this.#known(file) })
      const first = files.find((other) => other.input === input.input)
      files.push(this.#matched(file, input, reading, first))
      this.#read += sizes[file] ?? 0
    }
    return files.map((file) => (this.#isDeclared(file.input) ? file : typed(file, files)))
  }

  /**
   * The only file, as its beginning lets expect, and about how many records it has. Undefined where there is nothing to
   * be built upon.
   */
  async begin(): Promise<{ file: InputFile; about: number } | undefined> {
    const [input, ...others] = this.#job.inputs
    if (input === undefined || others.length > 0 || this.#job.corrects !== undefined) return undefined
    const beginning = await readBeginning(input.path, this.#reading(0, input))
    if (beginning === undefined) return undefined
    const file = this.#matched(0, input, beginning.reading, undefined)
    return { file: this.#isDeclared(input.input) ? file : typed(file, [file]), about: beginning.about }
  }

  /** Makes the copies that were put off, which DuckDB needs. */
  async copy(files: readonly InputFile[]): Promise<InputFile[]> {
    const copied: InputFile[] = []
    for (const file of files) copied.push(file.reading.layout === 'none' ? await this.#again(file, 'flat') : file)
    return copied
  }

  /** Reads a file anew, so that the place of each record is known, because it was found not to be sound. */
  readAgain(file: InputFile): Promise<InputFile> {
    return this.#again(file, 'placed')
  }

  async #again(file: InputFile, layout: 'flat' | 'placed'): Promise<InputFile> {
    const input = this.#job.inputs[file.file]
    if (input === undefined) throw new RangeError(`there is no file ${file.file}`)
    this.#read = 0
    this.#total = file.reading.file.textBytes
    // What was told the first time is not told again.
    const options = { ...this.#reading(file.file, input), onFault: async () => {} }
    return { ...file, reading: await readFlat(file.reading.file, layout, options) }
  }

  /** What was found out while the rows were written. */
  async #known(file: number): Promise<Scan | undefined> {
    if (this.#job.ahead !== 'was') return undefined
    return await readScan(scanOf(this.#folder, file))
  }

  #isDeclared(input: string): boolean {
    return this.#job.pipeline.inputs[input]?.schema !== undefined
  }

  /** The columns of a file; of several for an input that declares none, those of the first under its names. */
  #matched(file: number, { input, name }: JobInput, reading: Reading, first: InputFile | undefined): InputFile {
    const { header } = reading.file
    const correction = this.#job.corrects === undefined ? undefined : correctionIn(header, name)
    const own = labelsOf(header, correction)
    const spec = this.#job.pipeline.inputs[input] ?? {}
    const given = this.#isDeclared(input) || first === undefined ? spec : sameAs(first)
    const labels = given === spec ? own : nameColumns(own).columns.map(({ field }) => field.name)
    const { columns, warnings } = matchColumns(given, labels, name)
    const all = [...reading.warnings, ...warnings]
    return { input, file, name, reading, columns: placed(columns, correction), correction, warnings: all }
  }

  #formOf({ input }: JobInput): ReaderOptions {
    const { pipeline, params, corrects } = this.#job
    return corrects === undefined ? { ...pipeline.inputs[input]?.reader, ...readerOf(params) } : fixableForm
  }

  #reading(file: number, input: JobInput): ReadOptions {
    const { signal, onProgress } = this.#options
    const { name } = input
    let columns: string[] | undefined
    return {
      name,
      scratch: scratchOf(this.#folder, file),
      given: this.#formOf(input),
      expected: this.#job.pipeline.inputs[input.input]?.schema?.fields.map((field) => field.name) ?? [],
      mostBytes: this.#job.unpacked,
      kernel: this.#options.kernel,
      copy: !this.#mayPass,
      // Where columns are declared, their missing values say what nothing is, in quotes or not.
      keepEmpty: !this.#isDeclared(input.input),
      threads: this.#job.threads === 0 ? availableParallelism() : this.#job.threads,
      signal,
      onProgress: (bytes) =>
        onProgress({ phase: 'reading', unit: 'bytes', done: this.#read + bytes, total: this.#total }),
      onFault: async (fault, text) => {
        columns ??= nameColumns(text.header).columns.map(({ field }) => field.name)
        await this.#rejects.add({ input: input.input, file, name, text, columns }, fault)
      },
    }
  }
}

/** Undefined, when it was not left there: the writing broke off. */
async function readScan(path: string): Promise<Scan | undefined> {
  try {
    return JSON.parse(await readText(path, 'utf8')) as Scan
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What the params of a task say about the form of its files; `pipeline/reader.ts` has checked them. */
function readerOf(params: Params): ReaderOptions {
  const options = Object.entries(params).filter(([name]) => name.startsWith(readerPrefix))
  return Object.fromEntries(options.map(([name, value]) => [name.slice(readerPrefix.length), value]))
}

/** @throws {AppError} unprocessable, when the bytes are not those that were taken in. */
async function verify({ path, name, sha256 }: JobInput, signal: AbortSignal): Promise<void> {
  if (sha256 === null) return
  const digest = createHash('sha256')
  const stream = createReadStream(path, { highWaterMark: 1 << 20, signal })
  for await (const chunk of stream as AsyncIterable<Buffer>) digest.update(chunk)
  const found = digest.digest('hex')
  if (found === sha256) return
  const what = `The stored bytes of ${name} are not those that were received. Send the file again.`
  throw new AppError('unprocessable', what, { details: { file: name, expected: sha256, found } })
}

/** An input that declares no columns is held to those of its first file, under the names they have here. */
function sameAs(first: InputFile): InputSpec {
  return { schema: plainSchema(first.columns.map(({ field }) => plainField(field.name))) }
}

/** An undeclared file with the types that all cells of its input give evidence of. */
function typed(file: InputFile, files: readonly InputFile[]): InputFile {
  const others = files.filter(({ input }) => input === file.input)
  const evidence = file.columns.map(({ field }) => {
    const [first, ...rest] = others.map(({ reading, columns }) => reading.evidence[positionOf(columns, field.name)])
    return first === undefined ? undefined : rest.reduce(merge, first)
  })
  const columns = file.columns.map((column, i): Column => {
    const one = evidence[i]
    return one === undefined ? column : { ...column, field: undeclaredField(column.field.name, infer(one).type) }
  })
  const names = columns.map(({ field }) => field.name)
  const warnings =
    file === others[0]
      ? columnWarnings(
          names,
          evidence.filter((one) => one !== undefined),
        )
      : []
  return { ...file, columns, warnings: [...file.warnings, ...warnings] }
}

function positionOf(columns: readonly Column[], name: string): number {
  return columns.find(({ field }) => field.name === name)?.position ?? -1
}
