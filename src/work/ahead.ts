/**
 * Rows that are written while they are read. Where a job is of that kind, its engine says from the beginning of the file
 * what is to be expected of the rest; the rows go to the table at once, by the process that reads them, which looks at
 * every cell on the way. What it has seen is the reading of the job, which is then run to its end; and only when that
 * comes to just what was expected, the rows stay. Else they are taken back, and written anew.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import type { Engine } from '../ports.ts'
import { type Job, jobFile, type Report } from '../job.ts'
import { type Shipment, write, type Written } from './deliver.ts'

export interface Ran extends AsyncDisposable {
  readonly report: Report
  /** Outputs that are written and not committed. Disposed without a commit, nothing of them remains. */
  readonly written: ReadonlyMap<string, Written>
}

/** Where a job is run, and how. */
export type Place = Pick<Shipment, 'folder' | 'signal' | 'onProgress'>

/**
 * @param shipmentOf is asked when there is something to write.
 * @throws {AppError} what the engine throws, or a sink that was written to ahead.
 */
export async function runAhead(
  engine: Pick<Engine, 'run'>,
  job: Job,
  { folder, signal, onProgress }: Place,
  shipmentOf: () => Promise<Omit<Shipment, 'report' | 'onCommit'>>,
): Promise<Ran> {
  const run = async (ahead: Job['ahead']) => {
    await writeFile(join(folder, jobFile), JSON.stringify({ ...job, ahead } satisfies Job))
    return await engine.run(folder, { signal, onProgress })
  }
  const first = await run('may')
  const [file] = first.outputs
  if (first.ahead !== 'begun' || file === undefined) return ran(first, new Map(), new AsyncDisposableStack())
  await using begun = new AsyncDisposableStack()
  const written = await write(await shipmentOf(), file, (delivery) => begun.use(delivery), true).catch(asRefusal)
  const report = await run('was')
  if (report.ahead !== 'right') return ran(report, new Map(), new AsyncDisposableStack())
  if (written instanceof AppError) throw written
  return ran(report, new Map([[file.name, written]]), begun.move())
}

/** Runs a job to its end, with nothing written. */
export async function runWhole(
  engine: Pick<Engine, 'run'>,
  job: Job,
  { folder, signal, onProgress }: Place,
): Promise<Ran> {
  await writeFile(join(folder, jobFile), JSON.stringify(job))
  return ran(await engine.run(folder, { signal, onProgress }), new Map(), new AsyncDisposableStack())
}

function ran(report: Report, written: Ran['written'], begun: AsyncDisposableStack): Ran {
  return { report, written, [Symbol.asyncDispose]: () => begun.disposeAsync() }
}

/** Rows that a table refuses may be no fault of theirs, but of what was expected of them. */
function asRefusal(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'unprocessable') return error
  throw error
}
