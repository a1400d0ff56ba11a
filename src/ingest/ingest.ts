import type { Pipelines } from '../pipeline/load.ts'
import type { IngestDeps, Limits } from './deps.ts'
import { createResults, type Results } from './results.ts'
import { createSets, type Sets } from './sets.ts'
import { createTasks, type Tasks } from './tasks.ts'
import { createUploads, type Uploads } from './uploads.ts'

/** What the API can do. Every door, whatever it speaks, ends in these functions. */
export interface Ingest {
  readonly uploads: Uploads
  readonly sets: Sets
  readonly tasks: Tasks
  readonly results: Results
  readonly pipelines: Pipelines
  readonly limits: Limits
  /** Whether clients can put and get bytes past the service. */
  readonly direct: boolean
}

export function createIngest(deps: IngestDeps): Ingest {
  return {
    uploads: createUploads(deps),
    sets: createSets(deps),
    tasks: createTasks(deps),
    results: createResults(deps),
    pipelines: deps.pipelines,
    limits: deps.limits,
    direct: deps.blobs.direct !== undefined,
  }
}
