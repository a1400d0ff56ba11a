/**
 * The interfaces between the house and the world, one page. Each has an in-process driver; those that have several
 * drivers have one contract test under `test/contracts/` that every one must pass.
 */
import type { Readable } from 'node:stream'
import type { OutputBalance, Undone } from './balances.ts'
import type { DirectBlobs } from './direct.ts'
import type { ProducedFile, Report, RowFormat, TargetColumn, Targets } from './job.ts'
import type { Output, Part, Progress, Target, Task, TaskState, Upload, UploadSet } from './model.ts'
import type {
  NewUpload,
  NewSet,
  NewPart,
  Recorded,
  Added,
  Completion,
  NewTask,
  Receipt,
  NewReceipt,
  Page,
  Verdict,
} from './entries.ts'

// ------------------------------------------------------------------------------------------------- the truth

/**
 * Every write is one transaction, durable once its promise resolves. Writes of a worker carry the attempt's number and
 * change nothing (and answer false or undefined) when another attempt has begun since, or the task has ended.
 * Leases run by the database's clock.
 */
export interface Catalog extends AsyncDisposable {
  /** @throws {AppError} conflict (its set is for something else); too_large (a quota). */
  createUpload(upload: NewUpload, receipt?: NewReceipt): Promise<Upload>
  getUpload(id: string): Promise<Upload | undefined>
  listUploads(owner: string, page: Page): Promise<Upload[]>
  /**
   * Records a part whose bytes are durable. One of the same number gives way to it, and so does every blob with the same
   * bytes, in whichever part: bytes are kept once, in the copy that was seen whole last.
   * @throws {AppError} conflict, when the upload is not open, or ends elsewhere by now; too_large (a quota).
   */
  addPart(part: NewPart): Promise<Added>
  /** In their order; only the one of that number, where there is one. */
  parts(upload: string, n?: number): Promise<Part[]>
  /**
   * Closes an open upload and, in the same transaction, creates the task that it, or its set, was sent for. Of one that is
   * complete already it answers with that.
   * @throws {AppError} conflict, when parts are missing; checksum, when it is not what the client has claimed.
   */
  completeUpload(id: string, completion?: Completion): Promise<Recorded>
  /** Bytes that the quotas leave for an owner; infinite where there is none. */
  room(owner: string): Promise<number>
  /** Puts off the end of an upload whose bytes are coming. */
  keepUpload(id: string): Promise<void>
  /** Writes down what the bytes hash to. */
  recordSha256(id: string, sha256: string): Promise<void>
  /**
   * Marks the upload deleted.
   * @returns the blobs that nothing names any more, and prefixes of such.
   * @throws {AppError} conflict, while a task still needs it.
   */
  deleteUpload(id: string): Promise<readonly string[]>
  /**
   * Marks uploads and the results of tasks expired whose time has come.
   * @param limit as many of each, at most.
   * @returns how many there were, whether there may be more, and the keys and prefixes of blobs to remove.
   */
  expire(limit: number): Promise<{ readonly count: number; readonly more: boolean; readonly blobs: readonly string[] }>
  /** The clock that everything expires by, and when it was last believed. */
  clock(): Promise<{ readonly now: number; readonly seen: number | null }>
  believeClock(): Promise<void>
  /** Which of these blobs are parts of an upload. */
  partBlobs(keys: readonly string[]): Promise<Set<string>>

  createSet(set: NewSet & Pick<UploadSet, 'owner'>, receipt?: NewReceipt): Promise<UploadSet>
  getSet(id: string): Promise<UploadSet | undefined>
  listSets(owner: string, page: Page): Promise<UploadSet[]>
  /** Those that are open or complete, oldest first. */
  setUploads(set: string): Promise<Upload[]>
  /**
   * Marks a set deleted that has not closed, and its uploads.
   * @returns the blobs that nothing names any more, and prefixes of such.
   * @throws {AppError} conflict, when it has closed, or a task needs one of the uploads.
   */
  deleteSet(id: string): Promise<readonly string[]>

  /** Takes a key for so long; or what has come of it already; undefined while another request holds it. */
  holdKey(receipt: Omit<NewReceipt, 'request'>, forMs: number): Promise<Receipt | 'held' | undefined>
  /** Lets a key go that has come to nothing. */
  dropKey(receipt: Omit<NewReceipt, 'request'>): Promise<void>

  /** The task, queued or, where it comes with an error, failed; or the earlier one that it would only repeat. */
  createTask(task: NewTask, receipt?: NewReceipt): Promise<Task>
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
   * @param targets what the rows were made for; whoever goes on with it makes them for the same, where they are in.
   */
  commit(id: string, attempt: number, targets: Targets): Promise<boolean>
  /**
   * Looks for an earlier task that did what one is about to do, now that this is known: `NewTask.repeatKey`. When there
   * is one, the task ends, cancelled: undefined otherwise.
   */
  cancelRepeated(id: string, attempt: number, repeatKey: string): Promise<string | undefined>
  /** What a task began its commit with; undefined when it has not. */
  targets(id: string): Promise<Targets | undefined>
  /** True also when this attempt has ended it just so before: whoever got no answer asks again. */
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
   * Stores a stream under a new key; resolves once the bytes and the directory entry are durable. A chunk of the stream is
   * good only until the next one is asked for.
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
  /** Clears away halves of blobs that nothing has come to for so long, by the store's clock. @returns how many. */
  abandon(idleMs: number): Promise<number>
  /** Bytes that can still be stored; infinite where the store knows no end. */
  free(): Promise<number>
  /** @throws {AppError} unavailable, when nothing can be stored or read at present. */
  ping(): Promise<void>
  /** Undefined where the store has no address that clients could use. */
  readonly direct: DirectBlobs | undefined
}

/** Objects that others put into a bucket, overwrite and remove as they like. */
export interface Bucket {
  readonly name: string
  /** What the keys begin with of those that are for us: empty, or ending with a slash. */
  readonly prefix: string
  /**
   * @param signal ends the stream.
   * @throws {AppError} not_found, when there is no such object any more; gone, when another has taken its place;
   *   unavailable. The stream throws the same.
   */
  open(object: BucketObject, signal: AbortSignal): Promise<{ readonly bytes: number; readonly stream: Readable }>
  /** @throws {AppError} unavailable */
  ping(): Promise<void>
}

/** An object as it was when somebody told of it. */
export interface BucketObject {
  readonly key: string
  /** Where the bucket keeps versions. */
  readonly version: string | undefined
  readonly etag: string | undefined
}

/** A bell: the id of a task, at least once, in any order. Methods that wait throw AppError unavailable. */
export interface Queue extends AsyncDisposable {
  /** Resolves once the bell is durable; rejects within two seconds. */
  ring(task: string): Promise<void>
  /** One more hand, until disposed: takes a bell, calls the handler, does its work, takes the next. */
  answer(handler: Answer): AsyncDisposable
  /** How many bells nobody has answered yet; infinite where due tasks are found without one. */
  waiting(): Promise<number>
  ping(): Promise<void>
}

/** Claims the task that a bell is for; then the bell is let go. Undefined when the task is not to be had. */
export type Answer = (task: string) => Promise<Work | undefined>

/** What a hand does before it takes another bell. It holds none meanwhile, however long that takes. */
export type Work = () => Promise<void>

/** Takes the messages of somebody else, several at a time; once disposed, none is under way. */
export interface Consumer extends AsyncDisposable {
  /** @throws {AppError} unavailable */
  ping(): Promise<void>
}

/**
 * Sees to a message, which nobody else gets meanwhile, as far as the broker can keep it back.
 * @param stop the message is to be given back, and soon.
 */
export type Handle = (message: string, stop: AbortSignal) => Promise<Fate>

/** What becomes of a message: it is deleted; it comes again; it goes to the dead letters. */
export type Fate = 'done' | 'later' | 'unreadable'

// -------------------------------------------------------------------------------------------------- the work

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
