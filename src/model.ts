/**
 * The nouns of Rowmill and the moves they may make. Pure: no clock, no I/O, no import but the error type,
 * the codes of what is said of files, and the contract of their columns.
 * Times are milliseconds since 1970 (UTC); sizes are bytes; ids are ULIDs.
 */
import type { WarningCode } from './codes.ts'
import { AppError, type ErrorCode } from './errors.ts'
import type { Undone, Balances, Plan } from './balances.ts'

/** What a process does; the default is all of it. */
export const roles = ['upload', 'tasks', 'worker', 'janitor', 'auth'] as const
export type Role = (typeof roles)[number]

/** Those of a list such as `upload,tasks`; undefined when one is unknown. */
export function rolesOf(text: string): ReadonlySet<Role> | undefined {
  const given = text.split(',').map((name) => roles.find((role) => role === name.trim()))
  return given.includes(undefined) ? undefined : new Set(given.filter((role) => role !== undefined))
}

// ---------------------------------------------------------------------------------------------------- uploads

/** Parts of an upload, and files of a set, at most: so many that nobody needs more, and few enough to be listed. */
export const mostParts = 100_000

export const uploadStates = ['open', 'complete', 'expired', 'deleted'] as const
export type UploadState = (typeof uploadStates)[number]

/** Bytes that came in through one of the doors: a list of ordered, immutable parts. */
export interface Upload {
  readonly id: string
  readonly owner: string
  /** The name the client gave. Text only: it never becomes a path. */
  readonly name: string
  readonly state: UploadState
  /** How its bytes come: in one request; each part behind the one before; or under numbers of the client's, in any order. */
  readonly comes: 'at once' | 'in order' | 'in pieces'
  /** So many are stored for good; of one that comes in order, that is where the next part begins. */
  readonly bytes: number
  /** What they will be in the end; null where nobody has said. */
  readonly size: number | null
  /** How many pieces there will be; null where nobody has said. */
  readonly pieces: number | null
  /** Of a complete one: its pieces are one file cut up, or files with the same header, whose rows are read together. */
  readonly joined: 'as bytes' | 'as rows'
  /** Hex, of all parts one behind another; null until it is known. */
  readonly sha256: string | null
  /** What it must be by the client's word; null without one. */
  readonly claimedSha256: string | null
  /** The set it belongs to. */
  readonly set: string | null
  /** What is to be done with it once it is complete; of one in a set, the set says so. */
  readonly order: Order | null
  /** The task that its completion has brought about, or the earlier one that it would have repeated. */
  readonly task: string | null
  /** An earlier upload of the same owner with the same bytes. */
  readonly duplicateOf: string | null
  readonly createdAt: number
  readonly completedAt: number | null
  /** From then on its bytes may be gone. */
  readonly expiresAt: number
}

/** @throws {AppError} conflict, when a part that comes in order does not begin where the upload ends. */
export function checkOffset({ id, bytes }: Pick<Upload, 'id' | 'bytes'>, offset: number | undefined): void {
  if (offset === bytes) return
  throw new AppError('conflict', `Upload ${id} ends at byte ${bytes}, not at ${offset}. Go on from there.`, {
    details: { offset: bytes },
  })
}

export interface Part {
  readonly upload: string
  /** 1-based; the upload's content is its parts in this order. */
  readonly n: number
  readonly blob: string
  readonly bytes: number
  readonly sha256: string
}

/** A task as the client has asked for it, all but its files; checked, and with the pipeline's text of that moment. */
export interface Order extends Pick<Task, 'pipeline' | 'pipelineText' | 'params' | 'corrects' | 'dryRun' | 'planHash'> {
  /** Which of the pipeline's inputs the file is for; undefined lets its name decide. */
  readonly input?: string | undefined
  /** Its number in a folder of files, by which equal ones are told apart; undefined where nobody has numbered them. */
  readonly number?: number | undefined
  /** Even if the same was done before. */
  readonly again: boolean
}

export const setStates = ['waiting', 'closed', 'failed', 'deleted'] as const
export type SetState = (typeof setStates)[number]

/** Uploads that belong together. One that comes after the set has closed opens its next generation. */
export interface UploadSet {
  readonly id: string
  readonly owner: string
  /** What the client calls it; null for one that only has an id. */
  readonly name: string | null
  /** From 1 on, among those of its name. */
  readonly generation: number
  readonly state: SetState
  readonly order: Order | null
  /** How many files there will be; null where nobody has said. */
  readonly files: number | null
  /** The task that it has closed with. */
  readonly task: string | null
  readonly createdAt: number
  readonly closedAt: number | null
  /** From then on it waits no longer. */
  readonly expiresAt: number
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
  /** The name of the set that its files came in. */
  readonly setName: string | null
  /** The task that it would have repeated: this one has ended cancelled. */
  readonly duplicateOf: string | null
  /** Even if the same was done before. */
  readonly again: boolean
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
  /** From then on its results may be gone; null until it has ended. */
  readonly expiresAt: number | null
  /** Whether its results are gone. */
  readonly expired: boolean
}

export type Param = string | number | boolean | readonly string[]
export type Params = Readonly<Record<string, Param>>

/** What a new task takes over from the one that it is to do again. */
export type Retried = Pick<
  Task,
  | 'owner'
  | 'pipeline'
  | 'pipelineText'
  | 'params'
  | 'inputs'
  | 'setName'
  | 'corrects'
  | 'dryRun'
  | 'planHash'
  | 'undoes'
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

/** Where the blobs of uploads stand. */
export const uploadsPrefix = 'uploads/'

/**
 * Where clients put pieces themselves: by upload and number, so that nothing has to be noted. What stands there may change
 * at any time, so it is no blob of an upload yet.
 */
export const directPrefix = 'direct/'

export function directOf(upload: string): string {
  return `${directPrefix}${upload}/`
}

export function directKey(upload: string, n: number): string {
  return `${directOf(upload)}${n}`
}

export function resultsOf(task: string): string {
  return `${resultsPrefix}${task}/`
}

export function resultKey(task: string, attempt: number, file: string): string {
  return `${resultsOf(task)}${attempt}/${file}`
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
