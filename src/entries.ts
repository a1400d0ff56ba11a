/** What is entered into the catalog, and what it answers, beside the nouns themselves. */
import type { Balances, Plan, Undone } from './balances.ts'
import type { Output, Part, RejectsFile, Retried, Task, TaskError, Upload, UploadSet, Warning } from './model.ts'

export type NewUpload = Pick<Upload, 'id' | 'owner' | 'name'> &
  Partial<Pick<Upload, 'comes' | 'size' | 'pieces' | 'claimedSha256' | 'order'>> & {
    readonly set?: NewSet | KnownSet | undefined
  }

/** A set that an upload belongs to: the one that waits under the name, or a new one. */
export type NewSet = Pick<UploadSet, 'id' | 'name' | 'order' | 'files'>

/** The same by its id: it must be there, and wait. */
export type KnownSet = Pick<UploadSet, 'id' | 'order'>

/** A part whose bytes are durable. */
export interface NewPart extends Omit<Part, 'n'> {
  /** Its number, given by the client; undefined for the next one, or that of a piece with the same bytes. */
  readonly n?: number | undefined
  /** Where it begins, of an upload that comes in order. */
  readonly offset?: number | undefined
  /** What the upload may hold with it. */
  readonly most?: number | undefined
}

export interface Recorded {
  readonly upload: Upload
  /** Blobs that nothing names any more, and prefixes of such: the caller's to remove. */
  readonly unused: readonly string[]
}

export interface Added extends Recorded {
  /** How many pieces are still to come; null where nobody has said how many there will be. */
  readonly missing: number | null
}

/** How an upload is to be closed. */
export interface Completion {
  /** Its parts as they were looked at: when they are others by now, that is a conflict. */
  readonly seen?: readonly Part[] | undefined
  /** Its last part, recorded in the same transaction. */
  readonly last?: NewPart | undefined
  readonly joined?: Upload['joined']
  /** The task that is made then, if any. Pure: it is asked within the transaction. */
  readonly decide?: Decide | undefined
  readonly receipt?: NewReceipt | undefined
}

/**
 * @param upload the one that is being closed.
 * @param set what it belongs to, with how many complete uploads that has now; undefined for one alone.
 * @returns what comes of it, or how to tell that from all complete uploads of the set.
 */
export type Decide = (
  upload: Upload,
  set: { readonly set: UploadSet; readonly complete: number } | undefined,
) => Decision | ((uploads: readonly Upload[]) => Decision)

/** The task to make, and whether the set has all that it waits for. */
export interface Decision {
  readonly task?: NewTask | undefined
  readonly closes?: boolean
}

/** A task that is to be done; or one that can not be, and only tells why. */
export type NewTask = Retried &
  Pick<Task, 'id' | 'retryOf' | 'again'> & {
    /** Equal for tasks that would do the same; null when that is not known, or does not matter. */
    readonly repeatKey: string | null
    /** Why it has failed before it began. */
    readonly error?: TaskError | undefined
  }

/** How much may be kept, and for how long. Milliseconds; bytes, infinite for no limit. */
export interface Keeping {
  /** For uploads that are not complete, since their last part. */
  readonly incompleteMs: number
  /** For complete uploads, and for the results of tasks. */
  readonly filesMs: number
  /** For what a request with an Idempotency-Key has come to. */
  readonly receiptsMs: number
  readonly quota: number
  readonly ownerQuota: number
}

/** What has come of a request with an Idempotency-Key. */
export interface Receipt {
  /** SHA-256 of the request, in hex. */
  readonly request: string
  readonly upload: string | null
  readonly set: string | null
  readonly task: string | null
  /** Whether the task is an earlier one. */
  readonly duplicate: boolean
}

/** By which a request holds its key; what it creates is noted with it in one transaction. */
export interface NewReceipt extends Pick<Receipt, 'request'> {
  readonly owner: string
  /** SHA-256 of the key, in hex. */
  readonly key: string
  readonly holder: string
}

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
