import type { Fail } from '../failpoints.ts'
import type { Log } from '../log.ts'
import type { Pipelines } from '../pipeline/load.ts'
import type { Blobs, Catalog, Queue } from '../ports.ts'

export interface Limits {
  /** Largest upload, in bytes. */
  readonly maxUpload: number
  /** What a compressed upload may unpack to, in bytes. */
  readonly maxUnpacked: number
  /** Free bytes below which nothing more comes in. */
  readonly diskReserve: number
  /** So many bytes of a long stream are made durable and recorded at a time. */
  readonly segment: number
}

/** What the API's functions work with. */
export interface IngestDeps {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly queue: Queue
  readonly pipelines: Pipelines
  readonly limits: Limits
  /** A folder for files that are looked into. */
  readonly scratch: string
  /** After so long without a word, an Idempotency-Key whose process has died is free again. */
  readonly leaseMs: number
  readonly now: () => number
  readonly fail?: Fail
  readonly log: Log
}
