/**
 * What an engine is given in a folder of its own, and what it gives back there. Pure: it goes from one process to another
 * as JSON.
 */
import type { InputBalance } from './balances.ts'
import type { OutputFormat, Params, Target, TaskError, Warning } from './model.ts'
import type { Pipeline } from './definition.ts'
import type { ColumnType, Field } from './table-schema.ts'

/** Where an engine finds its job, in the folder it is given. */
export const jobFile = 'job.json'

/** What an engine is given, in a folder of its own. Paths are absolute. */
export interface Job {
  readonly pipeline: Pipeline
  readonly params: Params
  readonly inputs: readonly JobInput[]
  readonly targets: Targets
  /** What `now` is for this run, in milliseconds. */
  readonly now: number
  /** Bytes the engine may plan with, and threads. */
  readonly memory: number
  readonly threads: number
  /** Bytes that a compressed input may unpack to. */
  readonly unpacked: number
  /** Of a task that corrects the rejects of another: how many records these are. Its one file is of the fixable kind. */
  readonly corrects?: number | undefined
  /** Whether rows may be written while they are read; and whether they were. See `Report.ahead`. */
  readonly ahead?: 'may' | 'was' | undefined
}

export interface JobInput {
  readonly input: string
  readonly name: string
  readonly path: string
  /** What the file must hash to; null when nobody knows, and then nobody asks. */
  readonly sha256: string | null
}

/** By output, of those that go to tables. */
export type Targets = Readonly<Record<string, JobTarget>>

/** A table that an output goes to, as it is before the job. */
export interface JobTarget {
  readonly target: Target
  readonly rows: RowFormat
  /** Undefined: there is no such table yet. */
  readonly columns: readonly TargetColumn[] | undefined
}

/** What an engine gives back, beside the files it names. Paths are relative to the folder. */
export interface Report {
  readonly inputs: Readonly<Record<string, InputBalance>>
  readonly outputs: readonly ProducedFile[]
  readonly warnings: readonly Warning[]
  readonly rejects: RejectsReport | null
  /** Set when the run came to an end that is the input's fault or the pipeline's; there are no outputs then. */
  readonly error: TaskError | null
  /**
   * `begun`: the only output can be written at once, on the expectation that the file is what its beginning looks like;
   * its `rows` are about so many, and nothing else is known. When it is written, the job is run again, as one that `was`.
   * `right`: the output that was written is just what this report says.
   */
  readonly ahead?: 'begun' | 'right' | undefined
}

export interface RejectsReport {
  readonly file: string
  readonly count: number
  readonly fixable: readonly { readonly input: string; readonly file: string }[]
}

/**
 * How rows for tables are written: in PostgreSQL's text format, which MySQL reads as well (`csv/tabbed.ts`); as Parquet;
 * or as CSV, for people who want to see them.
 */
export type RowFormat = 'tabbed' | 'parquet' | 'csv'

export interface ProducedFile {
  readonly name: string
  /** `records`: rows that the reader can write as tabbed text, from what stands in the file; see `engine/pass.ts`. */
  readonly format: OutputFormat | RowFormat | 'records'
  readonly file: string
  readonly rows: number
  /** In the order of the file. Of rows for a table only. */
  readonly columns?: readonly ProducedColumn[]
}

export interface ProducedColumn {
  /** As the table calls it, when it has it. */
  readonly name: string
  readonly type: ColumnType
  /** Whether the table has it already. */
  readonly isThere: boolean
}

/** A column of a table that is there already, and what the table asks of its values. */
export interface TargetColumn {
  readonly name: string
  /** How its values are read; null where Rowmill knows no such type, so that they go there as text, which the database judges. */
  readonly field: Pick<Field, 'type' | 'format' | 'timezone' | 'constraints'> | null
  /** What becomes of a row that comes without it: the database refuses it, leaves the column NULL, or fills it in. */
  readonly absent: 'refused' | 'null' | 'filled'
  /** Whether nobody may write to it, since the database computes it. */
  readonly isComputed: boolean
}
