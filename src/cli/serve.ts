import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import manifest from '../../package.json' with { type: 'json' }
import { type App, startApp } from '../app.ts'
import { local } from '../auth/authorize.ts'
import { settings } from '../config.ts'
import type { Role } from '../model.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'

/** Longer than a child takes to start on a slow machine. */
const exampleMs = 60_000

export interface ServeArgs {
  /** On an empty data folder, run the example first. */
  readonly example: boolean
  /** What this process does, where that is not what the settings say. */
  readonly roles?: ReadonlySet<Role>
}

/** Runs the service until it is told to stop; then running tasks finish or go back to the queue. */
export async function serve({ example, roles }: ServeArgs, context: Context): Promise<ExitCode> {
  const { signal, stdout, log } = context
  const config = roles === undefined ? context.config : { ...context.config, ROLES: roles }
  const isNew = config.CATALOG_URL === undefined && !existsSync(join(config.DATA, 'catalog.db'))
  await using app = await startApp(config, { version: manifest.version, log })
  const url = app.url.replace('127.0.0.1', 'localhost')
  stdout.write(`Rowmill ${manifest.version} is at ${url} (API documentation: ${url}/docs). Data: ${config.DATA}\n`)
  if (example && isNew) await runExample(app, url, context)
  if (!signal.aborted) await once(signal, 'abort')
  stdout.write('Stopping: running tasks finish or go back to the queue.\n')
  return exitCodes.done
}

/** The main job, once, for whoever sees Rowmill for the first time. */
async function runExample({ ingest }: App, url: string, { config, stdout, signal }: Context): Promise<void> {
  const path = fileURLToPath(new URL('../../examples/plays.csv', import.meta.url))
  const { task } = await ingest.uploads.receive(local, {
    name: basename(path),
    source: createReadStream(path),
    wish: { run: { pipeline: 'song-plays', params: {} } },
  })
  if (task === undefined) return
  const ended = await ingest.tasks.wait(local, task.id, exampleMs, signal)
  if (ended.state !== 'succeeded') {
    stdout.write(`The example has not worked: ${ended.error?.message ?? ended.state}\n`)
    return
  }
  const { open } = await ingest.results.output(local, task.id, 'totals')
  stdout.write('\nTo begin with, it has run the pipeline song-plays over examples/plays.csv:\n\n')
  await pipeline(await open(), stdout, { signal, end: false })
  // In another terminal, what is set for this service need not be set.
  const where = String(config.PORT) === settings.PORT.default ? '' : `ROWMILL_URL=${url} `
  stdout.write(`\nNow yours: ${where}./rowmill push FILE --pipeline song-plays --wait\n`)
}
