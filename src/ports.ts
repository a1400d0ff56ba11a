/**
 * The interfaces between the house and the world, one page. Each has an in-process driver; those that have several
 * drivers have one contract test under `test/contracts/` that every one must pass.
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
  Plan,
  Progress,
  RejectsFile,
  Retried,
  Target,
  Task,
  TaskError,
  TaskState,
  Undone,
  Upload,
  Warning,
} from './model.ts'
import type { ColumnType, Field } from './table-schema.ts'

// ------------------------------------------------------------------------------------------------- the truth

export type NewUpload = Pick<Upload, 'id' | 'owner' | 'name'>

export type NewTask = Retried & Pick<Task, 'id' | 'retryOf'>

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
      readonly plan?: Plan
      readonly undone?: Readonly<Record<string, Undone>>
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
  /**
   * From now on the task goes forward: something of it may be visible. False: it is no longer this attempt's.
   * @param targets what the rows were made for; whoever goes on with it makes them for the same.
   */
  commit(id: string, attempt: number, targets: Targets): Promise<boolean>
  /** What a task began its commit with; undefined when it has not. */
  targets(id: string): Promise<Targets | undefined>
  finish(id: string, attempt: number, verdict: Verdict): Promise<boolean>
  /** @throws {AppError} conflict, when the task has ended, or has begun to commit. */
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

export interface RunOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** Runs a job folder: files in, files and a report out. */
export interface Engine extends AsyncDisposable {
  /** @throws {AppError} crashed, timeout, or whatever reason the signal was aborted with. */
  run(folder: string, options: RunOptions): Promise<Report>
  /** Tabbed text made of the file of an output whose format is `records`. Fails as `run` does. */
  rows(path: string, signal: AbortSignal): Readable
}

/** Where outputs go. */
export type Sink = FileSink | TableSink

/** Outputs become files to download. */
export interface FileSink {
  readonly kind: 'files'
  begin(id: DeliveryId, attempt: number): Promise<Delivery>
}

/**
 * Outputs become rows of tables, each output in one transaction together with its row in the sink's ledger. All methods
 * throw AppError: unavailable (the database is down, busy, or ended the session: another attempt may help), unprocessable
 * (it refuses the login, the name, the table or a row), full.
 */
export interface TableSink {
  readonly kind: 'tables'
  readonly rows: RowFormat
  /**
   * The columns of a table, in its order; undefined when there is none.
   * @param by who asks: where looking needs the database for itself, what holds it for an earlier attempt at the same
   *   task is ended.
   */
  check(target: Target, by?: Loading): Promise<readonly TargetColumn[] | undefined>
  /**
   * Registers the attempt with the ledger, and ends whatever an earlier attempt is still doing there.
   * @throws {AppError} conflict, when a later attempt has registered.
   */
  begin(id: DeliveryId, attempt: number, target: Target): Promise<Delivery>
  /**
   * What an upsert into a table that is there would come to if it were written now. Leaves no trace of it, and holds
   * nobody up who writes to the table.
   */
  rehearse(target: Target, produced: Produced, signal: AbortSignal): Promise<OutputBalance>
  /**
   * Begins to take back what a task has delivered. Registers the attempt, as `begin` does.
   * @throws {AppError} conflict, when it cannot be taken back any more: the table was loaded again since, or what was
   *   kept is gone.
   */
  undo(id: DeliveryId, attempt: number, of: Undoable): Promise<Undoing>
}

/** An output that is to be undone. Its target is the one that it was delivered to. */
export interface Undoable extends DeliveryId {
  readonly target: Target
}

/** A task that puts rows somewhere, and which attempt at it. */
export interface Loading {
  /** Its `delivery`. */
  readonly task: string
  readonly attempt: number
}

/** Equal on every attempt of the same task and output. */
export interface DeliveryId {
  /** The task's `delivery`. */
  readonly task: string
  readonly output: string
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

export interface WriteOptions {
  readonly signal: AbortSignal
  /** How many rows an earlier attempt has told to be delivered for good; 0 to a sink with transactions. */
  readonly from: number
  /**
   * Told now and then, by a sink that knows more than how many rows it was given: of those that are on their way or, to a
   * sink without transactions, delivered for good.
   */
  readonly onProgress: (rows: number) => void
}

/** What was produced, and where it is. */
export interface Produced extends ProducedFile {
  /** Whether `rows` is only about so many: what the sink counts is compared later with what was read. */
  readonly isGuess?: boolean
  readonly path: string
  /** The bytes: of the file, or of the rows that are still to be written. Their end comes only when they are whole. */
  readonly open: (signal: AbortSignal) => Readable
}

/** One output on its way. Disposed without a commit, nothing of it remains. */
export interface Delivery extends AsyncDisposable {
  /** What an earlier attempt has committed: there is nothing left to write or to commit. */
  readonly delivered:
    | (Delivered & { /** Whether the table was written to since. */ readonly superseded: boolean })
    | undefined
  /** Everything but the commit; what it will come to. */
  write(produced: Produced, options: WriteOptions): Promise<OutputBalance>
  commit(): Promise<Delivered>
}

/** One output on its way back. Disposed without a commit, all is as it was. */
export interface Undoing extends AsyncDisposable {
  /** What an earlier attempt has committed: there is nothing left to write or to commit. */
  readonly undone: Undone | undefined
  /** Everything but the commit. */
  write(signal: AbortSignal): Promise<void>
  commit(): Promise<Undone>
}

export interface Delivered {
  readonly balance: OutputBalance
  readonly output: Output
}
