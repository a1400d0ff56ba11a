/**
 * The nouns of Rowmill and the moves they may make. Pure: no clock, no I/O, no import but the error type,
 * the codes of what is said of files, and the contract of their columns.
 * Times are milliseconds since 1970 (UTC); sizes are bytes; ids are ULIDs.
 */
import type { WarningCode } from './codes.ts'
import { AppError, type ErrorCode } from './errors.ts'
import type { Schema } from './table-schema.ts'

// ---------------------------------------------------------------------------------------------------- uploads

export type UploadState = 'open' | 'complete' | 'deleted'

/** Bytes that came in through one of the doors: a list of ordered, immutable parts. */
export interface Upload {
  readonly id: string
  readonly owner: string
  /** The name the client gave. Text only: it never becomes a path. */
  readonly name: string
  readonly state: UploadState
  readonly bytes: number
  /** Hex; null until it is known. */
  readonly sha256: string | null
  readonly createdAt: number
  readonly completedAt: number | null
}

export interface Part {
  readonly upload: string
  /** 1-based; the upload's content is its parts in this order. */
  readonly n: number
  readonly blob: string
  readonly bytes: number
  readonly sha256: string
}

// ------------------------------------------------------------------------------------------------------ tasks

export const taskStates = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type TaskState = (typeof taskStates)[number]

const taskMoves: Readonly<Record<TaskState, readonly TaskState[]>> = {
  queued: ['running', 'failed', 'cancelled'],
  running: ['succeeded', 'failed', 'cancelled', 'queued'],
  succeeded: [],
  failed: [],
  cancelled: [],
}

export function isEnded(state: TaskState): boolean {
  return taskMoves[state].length === 0
}

/** The states from which a task may move to `to`: what every guarded UPDATE of the catalog asks for. */
export function statesBefore(to: TaskState): TaskState[] {
  return taskStates.filter((from) => taskMoves[from].includes(to))
}

/** @throws {AppError} conflict, when the move is not one a task can make. */
export function checkMove(task: Pick<Task, 'id' | 'state' | 'committing'>, to: TaskState): void {
  if (to === 'cancelled' && task.committing && !isEnded(task.state)) {
    throw new AppError('conflict', `Task ${task.id} has begun to commit its outputs; it can no longer be cancelled.`)
  }
  if (taskMoves[task.state].includes(to)) return
  const where = isEnded(task.state) ? `has ended (${task.state})` : `is ${task.state}`
  throw new AppError('conflict', `Task ${task.id} ${where}; it can no longer be ${to}.`)
}

/** @throws {AppError} conflict, when another task corrects it: its rejects would come in twice. */
export function checkUncorrected({ id, correctedBy }: Pick<Task, 'id' | 'correctedBy'>): void {
  if (correctedBy === null) return
  throw new AppError(
    'conflict',
    `Task ${id} is corrected by task ${correctedBy} already. Correct the rejects of that one.`,
  )
}

/** @throws {AppError} conflict, when what it has delivered cannot be taken back, or was already. */
export function checkUndoable(task: Pick<Task, 'id' | 'state' | 'outputs' | 'undoneBy'>): void {
  const { id, state, outputs, undoneBy } = task
  const conflict = (why: string) => new AppError('conflict', `Task ${id} ${why}`)
  if (state !== 'succeeded') throw conflict(`${isEnded(state) ? 'has' : 'is'} ${state}; there is nothing to undo.`)
  if (undoneBy !== null) throw conflict(`is undone by task ${undoneBy} already.`)
  const tables = outputs.filter((output): output is TableOutput => !isFile(output))
  if (tables.length === 0) throw conflict('has put no rows into tables; there is nothing to undo.')
  const fixed = tables.find(({ undoable }) => !undoable)
  if (fixed === undefined) return
  throw conflict(`cannot be undone: nothing was kept of what it did to the table ${fixed.table} of ${fixed.to}.`)
}

/** One run of a pipeline over uploads, with a snapshot of the pipeline's text and its params. */
export interface Task {
  readonly id: string
  readonly owner: string
  readonly pipeline: string
  /** The YAML as it stood when the task was created. */
  readonly pipelineText: string
  readonly params: Params
  readonly inputs: readonly TaskInput[]
  readonly state: TaskState
  /** The number of the latest claim; a fence and nothing else. */
  readonly attempt: number
  /** Deaths of the child that its living parent saw. */
  readonly crashes: number
  /** Attempts that ended in an error worth another try. */
  readonly failures: number
  /** Leases that ran out: the worker died or fell silent. */
  readonly lostLeases: number
  /** Not to be claimed before. */
  readonly runAfter: number
  readonly leaseUntil: number | null
  readonly progress: Progress | null
  /** Whether the commit of its outputs has begun: it can no longer be cancelled. */
  readonly committing: boolean
  readonly balances: Balances | null
  readonly warnings: readonly Warning[]
  readonly outputs: readonly Output[]
  readonly rejects: RejectsFile | null
  readonly error: TaskError | null
  readonly retryOf: string | null
  /** By which databases know what it delivers: its own id, or that of the task whose commit it goes on with. */
  readonly delivery: string
  /** The task whose rejects it brings, corrected. */
  readonly corrects: string | null
  /** The task that brings its rejects, corrected; one that has come to nothing does not count. */
  readonly correctedBy: string | null
  /** Whether it only finds out what it would deliver. */
  readonly dryRun: boolean
  /** What a dry run has found out. */
  readonly plan: Plan | null
  /** The hash of the plan that alone it may carry out. */
  readonly planHash: string | null
  /** The task whose rows it takes out of their tables again. */
  readonly undoes: string | null
  /** The task that takes its rows out again; one that has come to nothing does not count. */
  readonly undoneBy: string | null
  /** What that has come to, by output. */
  readonly undone: Readonly<Record<string, Undone>> | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
}

export type Param = string | number | boolean | readonly string[]
export type Params = Readonly<Record<string, Param>>

/** What a new task takes over from the one that it is to do again. */
export type Retried = Pick<
  Task,
  'owner' | 'pipeline' | 'pipelineText' | 'params' | 'inputs' | 'corrects' | 'dryRun' | 'planHash' | 'undoes'
>

/** Which upload feeds which of the pipeline's inputs. Several uploads of one input are read one after another. */
export interface TaskInput {
  readonly input: string
  readonly upload: string
  readonly name: string
}

export interface TaskError {
  readonly code: ErrorCode
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** What a task keeps of an error: all but its cause, which is for the log. */
export function taskError({ code, message, details }: AppError): TaskError {
  return { code, message, ...(details && { details }) }
}

/** `reading` counts bytes of the input, `working` and `delivering` rows; `total` is null while it is not known. */
export interface Progress {
  readonly phase: 'reading' | 'working' | 'delivering'
  readonly unit: 'bytes' | 'rows'
  readonly done: number
  readonly total: number | null
}

/** What is worth a word and fails nothing. */
export interface Warning {
  readonly code: WarningCode
  readonly message: string
}

// -------------------------------------------------------------------------------------------------- balances

/** Counted in records of the file; blank lines apart, since they are none. */
export interface InputBalance {
  readonly records: number
  readonly accepted: number
  readonly rejected: number
  readonly blankLines: number
}

export interface OutputBalance {
  readonly produced: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly skipped: number
}

export interface Balances {
  readonly inputs: Readonly<Record<string, InputBalance>>
  readonly outputs: Readonly<Record<string, OutputBalance>>
}

/** @throws {AppError} internal, when a sum does not come out: a task with such a balance must never succeed. */
export function checkBalances({ inputs, outputs }: Balances): void {
  for (const [name, b] of Object.entries(inputs)) {
    if (b.records !== b.accepted + b.rejected) {
      throw new AppError('internal', 'Internal error', { cause: unbalanced(`input ${name}`, b) })
    }
  }
  for (const [name, b] of Object.entries(outputs)) {
    if (b.produced !== b.inserted + b.updated + b.unchanged + b.skipped) {
      throw new AppError('internal', 'Internal error', { cause: unbalanced(`output ${name}`, b) })
    }
  }
}

/** What a task would come to: what it would do to tables as they are, and to nothing else. */
export interface Plan extends Balances {
  /** SHA-256, in hex, over the inputs, the pipeline's text, the params, the columns of the tables, and the counts. */
  readonly hash: string
}

/** What has become of the rows of an output that was undone. */
export interface Undone {
  /** Rows that were taken out. */
  readonly removed: number
  /** Rows that are again what they were before, or there again. */
  readonly restored: number
  /** Rows that were left as they are, since somebody else has changed them or taken them out. */
  readonly left: number
  /** The keys of those, where the table has a key: as many as `maxLeftKeys`. */
  readonly leftKeys: readonly Readonly<Record<string, string | null>>[]
}

export const maxLeftKeys = 1000

function unbalanced(what: string, balance: InputBalance | OutputBalance): Error {
  return new Error(`${what} does not balance: ${JSON.stringify(balance)}`)
}

// --------------------------------------------------------------------------------------------------- results

export const outputFormats = ['csv', 'ndjson', 'parquet'] as const
export type OutputFormat = (typeof outputFormats)[number]

/** What becomes of the rows that a table has already: they stay; they give way; those of the same key are changed. */
export const loadModes = ['append', 'replace', 'upsert'] as const
export type LoadMode = (typeof loadModes)[number]

/** What becomes of columns that the table does not have: no row is loaded; they are left out; the table gets them. */
export const driftPolicies = ['fail', 'ignore-extra', 'add-columns'] as const
export type DriftPolicy = (typeof driftPolicies)[number]

/** The table that an output's rows go to, with the task's params filled in. */
export interface Target {
  /** `name` or `schema.name`, as the user wrote it. */
  readonly table: string
  readonly mode: LoadMode
  /** The columns that tell rows apart; empty but for upsert. */
  readonly key: readonly string[]
  readonly drift: DriftPolicy
  /** Whether what is needed to undo it is kept: the rows' task, the table that is replaced, the rows that are changed. */
  readonly undoable: boolean
}

/** Where the blobs of results stand: by task and attempt, so that no attempt can touch what another has stored. */
export const resultsPrefix = 'results/'

export function resultKey(task: string, attempt: number, file: string): string {
  return `${resultsPrefix}${task}/${attempt}/${file}`
}

/** Something that a task has delivered. */
export type Output = FileOutput | TableOutput

/** What anyone entitled can download. */
export interface FileOutput {
  readonly name: string
  readonly format: OutputFormat
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  readonly blob: string
}

/** Rows that went into a table. */
export interface TableOutput {
  readonly name: string
  /** The sink. */
  readonly to: string
  readonly table: string
  readonly mode: LoadMode
  readonly rows: number
  /** Whether the table keeps what is needed to undo it. */
  readonly undoable: boolean
}

export function isFile(output: Output): output is FileOutput {
  return 'blob' in output
}

export interface RejectsFile {
  /** Lines of the file: a record with two faults has two. */
  readonly count: number
  readonly bytes: number
  readonly blob: string
  /** None of a task that has failed: its records are sent again all together. */
  readonly fixable: readonly FixableFile[]
}

/** The rejected records of an input, each once, to be corrected and sent back. */
export interface FixableFile {
  readonly input: string
  readonly bytes: number
  readonly blob: string
}

// ------------------------------------------------------------------------------------------------- pipelines

/** What is to be done, as one YAML file says it. */
export interface Pipeline {
  readonly name: string
  readonly about: string
  readonly params: Readonly<Record<string, ParamSpec>>
  readonly rejects: RejectPolicy
  readonly inputs: Readonly<Record<string, InputSpec>>
  readonly outputs: Readonly<Record<string, OutputSpec>>
}

export interface ParamSpec {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array'
  readonly about?: string | undefined
  readonly enum?: readonly string[] | undefined
  readonly default?: Param | undefined
  readonly required: boolean
}

/** `max` below 1 is a share of an input's records, from 1 on a count. */
export type RejectPolicy = 'fail' | 'keep' | { readonly max: number }

export interface InputSpec {
  /** A glob over the file's whole name; `*` crosses `/`. */
  readonly match?: string | undefined
  /** Undeclared, a column has the type that all its cells give evidence of. */
  readonly schema?: Schema | undefined
  readonly reader?: ReaderOptions | undefined
}

/** Of the params of a task that say how its files are read; those of a pipeline have no dot in their names. */
export const readerPrefix = 'reader.'

/** What is known of a file's form; whatever is not given is found out. */
export interface ReaderOptions {
  /** A name of the WHATWG Encoding Standard, such as `windows-1252`. */
  readonly encoding?: string | undefined
  readonly delimiter?: string | undefined
  /** One ASCII character; empty: quotes are text. */
  readonly quote?: string | undefined
  /** One ASCII character; empty: quotes within quotes cannot be. */
  readonly escape?: string | undefined
  /** A line that begins with it is skipped; empty: none. Never guessed. */
  readonly comment?: string | undefined
  readonly header?: boolean | undefined
  /** Lines before the header (or, without one, before the first record). */
  readonly skipLines?: number | undefined
}

export type OutputSpec = FileSpec | TableSpec

/** An output to download. */
export interface FileSpec {
  readonly to: string
  readonly format: OutputFormat
  readonly sql: string
}

/** An output for a table. What is undefined has its default; a text such as `$table` is the value of that param. */
export interface TableSpec {
  readonly to: string
  readonly sql: string
  readonly table?: string | undefined
  readonly mode?: string | undefined
  readonly key?: string | readonly string[] | undefined
  readonly drift?: string | undefined
  readonly undoable?: boolean | string | undefined
}

export function isForTable(spec: OutputSpec): spec is TableSpec {
  return !('format' in spec)
}
