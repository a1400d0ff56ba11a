/**
 * The catalog's tables as Kysely sees them. Ids are text, times whole milliseconds, JSON is text: types that SQLite,
 * PostgreSQL and MySQL share. What a column means stands in `model.ts`.
 */
import type { Kysely, RawBuilder } from 'kysely'
import type { ErrorCode } from '../errors.ts'
import type { LoadMode, OutputFormat, TaskState, UploadState } from '../model.ts'

export interface Tables {
  uploads: UploadRow
  parts: PartRow
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
  bytes: number
  sha256: string | null
  created_at: number
  completed_at: number | null
}

/** One row a part, keyed by upload and number. */
export interface PartRow {
  upload: string
  n: number
  blob: string
  bytes: number
  sha256: string
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

/** What each kind of database brings; the rest of the catalog is the same for all. Its errors are AppErrors. */
export interface Database {
  readonly db: Kysely<Tables>
  /** The database's own clock, in milliseconds: the one clock that all processes share. */
  readonly now: RawBuilder<number>
  /** What the database's own check finds wrong, a line each; slow. */
  checkIntegrity(): Promise<string[]>
}
