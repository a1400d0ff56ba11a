import type { Log } from '../log.ts'
import type { Pipelines } from '../pipeline/load.ts'
import type { Blobs, Catalog, Queue } from '../ports.ts'

export interface Limits {
  /** Largest upload, in bytes. */
  readonly maxUpload: number
  /** Free bytes below which nothing more comes in. */
  readonly diskReserve: number
}

/** What the API's functions work with. */
export interface IngestDeps {
  readonly catalog: Catalog
  readonly blobs: Blobs
  readonly queue: Queue
  readonly pipelines: Pipelines
  readonly limits: Limits
  readonly now: () => number
  readonly log: Log
}
