/**
 * The catalog's tables as Kysely sees them. Ids are text, times whole milliseconds, JSON is text: types that SQLite,
 * PostgreSQL and MySQL share. What a column means stands in `model.ts`.
 */
import type { ErrorCode } from '../errors.ts'
import type { LoadMode, OutputFormat, SetState, TaskState, Upload, UploadState } from '../model.ts'

export interface Tables {
  uploads: UploadRow
  parts: PartRow
  contents: ContentRow
  upload_sets: SetRow
  stored: StoredRow
  receipts: ReceiptRow
  clock: ClockRow
  tasks: TaskRow
  task_inputs: TaskInputRow
  outputs: OutputRow
  table_outputs: TableOutputRow
}

export interface UploadRow {
  id: string
  owner: string
  name: string
  state: UploadState
  comes: Upload['comes']
  bytes: number
  size: number | null
  pieces: number | null
  joined: Upload['joined']
  sha256: string | null
  claimed_sha256: string | null
  set_id: string | null
  task_order: string | null
  task: string | null
  duplicate_of: string | null
  created_at: number
  completed_at: number | null
  expires_at: number
}

/** One row a part, keyed by upload and number. */
export interface PartRow {
  upload: string
  n: number
  bytes: number
  sha256: string
}

export interface ContentRow {
  sha256: string
  bytes: number
  blob: string
}

export interface SetRow {
  id: string
  owner: string
  name: string | null
  generation: number
  state: SetState
  task_order: string | null
  files: number | null
  task: string | null
  created_at: number
  closed_at: number | null
  expires_at: number
}

/** How much of the quotas is taken: the sum over an owner's uploads of what they hold, or will by their announced size. */
export interface StoredRow {
  owner: string
  bytes: number
}

/** What a request with an Idempotency-Key has come to, or who is at it. */
export interface ReceiptRow {
  owner: string
  /** SHA-256 of the key, in hex. */
  idempotency_key: string
  holder: string | null
  held_until: number
  /** SHA-256 of the request; NULL until it has come to something. */
  request: string | null
  upload: string | null
  set_id: string | null
  task: string | null
  duplicate: 0 | 1
  expires_at: number
}

/** One row: when the clock was last believed. */
export interface ClockRow {
  id: 1
  seen: number
}

export interface TaskRow {
  id: string
  owner: string
  pipeline: string
  pipeline_text: string
  params: string
  state: TaskState
  attempt: number
  crashes: number
  failures: number
  lost_leases: number
  run_after: number
  lease_until: number | null
  committing: 0 | 1
  progress: string | null
  balances: string | null
  warnings: string
  rejects_count: number | null
  rejects_bytes: number | null
  rejects_blob: string | null
  rejects_fixable: string | null
  error_code: ErrorCode | null
  error_message: string | null
  error_details: string | null
  retry_of: string | null
  /** NULL for the task's own id. */
  delivery: string | null
  /** What its commit began with. */
  targets: string | null
  corrects: string | null
  dry_run: 0 | 1
  plan: string | null
  plan_hash: string | null
  undoes: string | null
  undone: string | null
  set_name: string | null
  /** Equal for tasks that would do the same; NULL where that is not known, or does not matter. */
  repeat_key: string | null
  again: 0 | 1
  duplicate_of: string | null
  expires_at: number | null
  expired: 0 | 1
  created_at: number
  started_at: number | null
  ended_at: number | null
}

/** One row for each upload a task reads, in the order it reads them. */
export interface TaskInputRow {
  task: string
  position: number
  input: string
  upload: string
  name: string
}

/** Written once, in the transaction that ends its task. */
export interface OutputRow {
  task: string
  position: number
  name: string
  format: OutputFormat
  rows: number
  bytes: number
  sha256: string
  blob: string
}

/** The same for rows that went into a table; positions are counted together. */
export interface TableOutputRow {
  task: string
  position: number
  name: string
  sink: string
  target: string
  mode: LoadMode
  rows: number
  undoable: 0 | 1
}
