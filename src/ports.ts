/**
 * The interfaces between the house and the world, one page. Each has an in-process driver and one contract test under
 * `test/contracts/` that every driver must pass.
 */
import type { Readable } from 'node:stream'
import type {
  Balances,
  InputBalance,
  Output,
  OutputBalance,
  OutputFormat,
  Params,
  Part,
  Pipeline,
  Progress,
  RejectsFile,
  Task,
  TaskError,
  TaskState,
  Upload,
  Warning,
} from './model.ts'

// ------------------------------------------------------------------------------------------------- the truth

export type NewUpload = Pick<Upload, 'id' | 'owner' | 'name'>

export type NewTask = Pick<Task, 'id' | 'owner' | 'pipeline' | 'pipelineText' | 'params' | 'inputs' | 'retryOf'>

/** Newest first; `before` is the id of the last one seen. */
export interface Page {
  readonly limit: number
  readonly before?: string | undefined
}

/** How an attempt ended. `queued` sends the task round again, not before `runAfter`. */
export type Verdict =
  | {
      readonly state: 'succeeded'
      readonly balances: Balances
      readonly warnings: readonly Warning[]
      readonly outputs: readonly Output[]
      readonly rejects: RejectsFile | null
    }
  | {
      readonly state: 'failed'
      readonly error: TaskError
      readonly balances: Balances | null
      readonly rejects: RejectsFile | null
      readonly crashed: boolean
    }
  | { readonly state: 'queued'; readonly delayMs: number; readonly why: 'crashed' | 'failed' | 'stopped' }

/**
 * Every write is one transaction, durable once its promise resolves. Writes of a worker carry the attempt's number and
 * change nothing (and answer false or undefined) when another attempt has begun since, or the task has ended.
 * Leases run by the database's clock.
 */
export interface Catalog extends AsyncDisposable {
  createUpload(upload: NewUpload): Promise<Upload>
  getUpload(id: string): Promise<Upload | undefined>
  listUploads(owner: string, page: Page): Promise<Upload[]>
  /** Records a part whose bytes are durable. The same part again replaces the record. */
  addPart(part: Part): Promise<void>
  parts(upload: string): Promise<Part[]>
  /**
   * Closes an open upload and, in the same transaction, creates the task that it was sent for.
   * @throws {AppError} conflict, when the upload is not open.
   */
  completeUpload(id: string, sum: { bytes: number; sha256: string | null }, task?: NewTask): Promise<Upload>
  /** Marks the upload deleted; its blobs are then the caller's to remove. Conflict while a task still needs it. */
  deleteUpload(id: string): Promise<void>

  createTask(task: NewTask): Promise<Task>
  getTask(id: string): Promise<Task | undefined>
  listTasks(owner: string, page: Page & { state?: TaskState | undefined }): Promise<Task[]>
  /** Queued tasks whose time has come, oldest first. */
  dueTasks(limit: number): Promise<string[]>
  /** Takes a due task: running, attempt + 1, leased. Undefined when it is not to be had. */
  claim(id: string, leaseMs: number): Promise<Task | undefined>
  /** The heartbeat: a new lease and the latest progress. False: stop, the task is no longer this attempt's. */
  renew(id: string, attempt: number, leaseMs: number, progress: Progress | null): Promise<boolean>
  finish(id: string, attempt: number, verdict: Verdict): Promise<boolean>
  /** @throws {AppError} conflict, when the task has ended. */
  cancel(id: string): Promise<Task>
  /** Puts back in the queue what a silent worker held; past `maxLost` lost leases the task fails. Ids of both. */
  requeueLapsed(maxLost: number): Promise<string[]>
  /** A cheap question that only a working database answers; and its integrity check, slow. */
  ping(): Promise<void>
  checkIntegrity(): Promise<string[]>
}

/** Big immutable objects under keys like `uploads/ID/1` that Rowmill itself makes. */
export interface Blobs {
  /**
   * Stores a stream under a new key; resolves once the bytes and the directory entry are durable.
   * @throws {AppError} too_large past `maxBytes`, full; nothing is left of what failed.
   */
  put(
    key: string,
    source: AsyncIterable<Uint8Array>,
    options?: { maxBytes?: number; signal?: AbortSignal | undefined },
  ): Promise<{ bytes: number; sha256: string }>
  /** @throws {AppError} not_found */
  read(key: string): Promise<Readable>
  /** Puts the objects, one after another, into one local file that nobody may write to. */
  fetch(keys: readonly string[], path: string, signal: AbortSignal): Promise<void>
  list(prefix: string): Promise<string[]>
  /** Removes everything below a prefix; what is not there is no error. */
  delete(prefix: string): Promise<void>
  /** Bytes that can still be stored; infinite where the store knows no end. */
  free(): Promise<number>
}

/** A bell: it carries the id of a task, at least once, in any order. */
export interface Queue extends AsyncDisposable {
  ring(task: string): Promise<void>
  /** Calls the handler for every bell until disposed, one at a time; a bell is acknowledged when its call resolves. */
  answer(handler: (task: string) => Promise<void>): AsyncDisposable
}

// -------------------------------------------------------------------------------------------------- the work

/** Where an engine finds its job, in the folder it is given. */
export const jobFile = 'job.json'

/** What an engine is given, in a folder of its own. Paths are absolute. */
export interface Job {
  readonly pipeline: Pipeline
  readonly params: Params
  readonly inputs: readonly JobInput[]
  /** What `now` is for this run, in milliseconds. */
  readonly now: number
  /** Bytes the engine may plan with, and threads. */
  readonly memory: number
  readonly threads: number
  /** Bytes that a compressed input may unpack to. */
  readonly unpacked: number
}

export interface JobInput {
  readonly input: string
  readonly name: string
  readonly path: string
  /** What the file must hash to; null when nobody knows, and then nobody asks. */
  readonly sha256: string | null
}

/** What an engine gives back, beside the files it names. Paths are relative to the folder. */
export interface Report {
  readonly inputs: Readonly<Record<string, InputBalance>>
  readonly outputs: readonly ProducedFile[]
  readonly warnings: readonly Warning[]
  readonly rejects: { readonly file: string; readonly count: number } | null
  /** Set when the run came to an end that is the input's fault or the pipeline's; there are no outputs then. */
  readonly error: TaskError | null
}

export interface ProducedFile {
  readonly name: string
  readonly format: OutputFormat
  readonly file: string
  readonly rows: number
}

export interface RunOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** Runs a job folder: files in, files and a report out. */
export interface Engine extends AsyncDisposable {
  /** @throws {AppError} crashed, timeout, or whatever reason the signal was aborted with. */
  run(folder: string, options: RunOptions): Promise<Report>
}

/** Where outputs go. `id` is equal on every attempt of the same task and output. */
export interface Sink {
  begin(id: { task: string; output: string }, attempt: number): Promise<Delivery>
}

/** One output on its way. Disposed without a commit, nothing of it remains. */
export interface Delivery extends AsyncDisposable {
  write(path: string, file: ProducedFile, signal: AbortSignal): Promise<void>
  commit(): Promise<{ balance: OutputBalance; output: Output }>
}
