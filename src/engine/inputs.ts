/** The files of a job, read: what their records are, and which columns they have under the pipeline's contract. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { examine, readFlat, readPlain } from '../csv/read.ts'
import type { Reading, ReadOptions } from '../csv/reading.ts'
import type { Facts } from '../csv/scan.ts'
import { AppError } from '../errors.ts'
import type { InputSpec, Warning } from '../model.ts'
import type { Job, JobInput, RunOptions } from '../ports.ts'
import { matchColumns, nameColumns } from './columns.ts'
import type { Rejects } from './rejects.ts'
import type { Source } from './relation.ts'

export interface InputFile extends Source {
  /** The file as it was handed in, which `reading.path` is only in the plain layout. */
  readonly original: string
  readonly spec: InputSpec
  readonly warnings: readonly Warning[]
}

/** Beyond, DuckDB takes minutes over a single row. */
const mostColumns = 4096

/** Where the flat copy of a job's nth file goes. */
export function flatPath(folder: string, file: number): string {
  return join(folder, 'flat', String(file))
}

export class Inputs {
  readonly #folder: string
  readonly #job: Job
  readonly #rejects: Rejects
  readonly #options: RunOptions
  /** For the progress: bytes of the files that are read, and of all. */
  #read = 0
  #total: number | null = null

  constructor(folder: string, job: Job, rejects: Rejects, options: RunOptions) {
    this.#folder = folder
    this.#job = job
    this.#rejects = rejects
    this.#options = options
  }

  /**
   * Reads every file, each the quickest way it allows. Where an input declares no columns, its first file does so for
   * the others.
   * @throws {AppError} rejected, when a file is no CSV or not the one that the pipeline expects.
   */
  async read(): Promise<InputFile[]> {
    const files: InputFile[] = []
    const sizes = await Promise.all(this.#job.inputs.map(async ({ path }) => (await stat(path)).size))
    this.#total = sizes.reduce((sum, size) => sum + size, 0)
    for (const [file, input] of this.#job.inputs.entries()) {
      const facts = await this.#examine(input)
      const spec = specFor(
        this.#job.pipeline.inputs[input.input] ?? {},
        files.find((other) => other.input === input.input),
      )
      const plain = await readPlain(input.path, facts)
      const reading = plain ?? (await this.#readFlat(file, input, facts))
      files.push(this.#open(file, input, spec, reading))
      this.#read += facts.bytes
    }
    return files
  }

  /** Reads a file anew, record by record, because it was found not to be sound. */
  async readAgain({ file, spec, reading }: InputFile): Promise<InputFile> {
    const input = this.#job.inputs[file]
    if (input === undefined) throw new RangeError(`there is no file ${file}`)
    this.#read = 0
    this.#total = reading.facts.bytes
    return this.#open(file, input, spec, await this.#readFlat(file, input, reading.facts))
  }

  #open(file: number, { input, name, path }: JobInput, spec: InputSpec, reading: Reading): InputFile {
    if (reading.header.length > mostColumns) {
      const what = `${name} line 1: the header has ${reading.header.length} columns; ${mostColumns} are the most.`
      throw new AppError('unprocessable', what, { details: { file: name, line: 1 } })
    }
    // Columns that the first file made known for the others go by the names they were given here.
    const byGivenName = this.#job.pipeline.inputs[input]?.columns === undefined && spec.columns !== undefined
    const labels = byGivenName ? nameColumns(reading.header).columns.map((column) => column.name) : reading.header
    const { columns, warnings } = matchColumns(spec, labels, name)
    return { input, file, name, original: path, spec, reading, columns, warnings: [...reading.warnings, ...warnings] }
  }

  async #examine(input: JobInput): Promise<Facts> {
    const facts = await examine(input.path, { ...this.#reading(input), hash: input.sha256 !== null })
    if (facts.sha256 === input.sha256) return facts
    throw new AppError(
      'unprocessable',
      `The stored bytes of ${input.name} are not those that were received. Send the file again.`,
      { details: { file: input.name, expected: input.sha256, found: facts.sha256 } },
    )
  }

  async #readFlat(file: number, input: JobInput, facts: Facts): Promise<Reading> {
    let columns: string[] | undefined
    return readFlat(input.path, flatPath(this.#folder, file), facts, {
      ...this.#reading(input),
      onFault: async (fault, header) => {
        columns ??= nameColumns(header).columns.map((column) => column.name)
        await this.#rejects.add({ input: input.input, file, name: input.name, path: input.path, columns }, fault)
      },
    })
  }

  #reading({ name }: JobInput): Omit<ReadOptions, 'onFault'> {
    const { signal, onProgress } = this.#options
    return {
      name,
      signal,
      onProgress: (bytes) =>
        onProgress({ phase: 'reading', unit: 'bytes', done: this.#read + bytes, total: this.#total }),
    }
  }
}

/** An input that declares no columns is held to those of its first file, under the names they have here. */
function specFor(spec: InputSpec, first: InputFile | undefined): InputSpec {
  if (spec.columns !== undefined || first === undefined) return spec
  return { ...spec, columns: Object.fromEntries(first.columns.map(({ name }) => [name, 'string'])) }
}
