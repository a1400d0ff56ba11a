/** Config → a running service: opens the drivers, starts the roles, and takes everything down in the reverse order. */
import { access, constants, realpath } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join, resolve, sep } from 'node:path'
import { openBucket } from './blobs/bucket.ts'
import { openBlobs } from './blobs/open.ts'
import { createDoor, hands } from './bucket/door.ts'
import { checkSettings, eventsSetting } from './bucket/settings.ts'
import { usualKeeping } from './catalog/keeping.ts'
import { openCatalog } from './catalog/open.ts'
import type { Config } from './config.ts'
import { makePath } from './durable.ts'
import { AppError, errnoOf, isDiskFull } from './errors.ts'
import { failAt } from './failpoints.ts'
import { createServer } from './http/server.ts'
import { startInbox } from './inbox/inbox.ts'
import { createIngest, type Ingest } from './ingest/ingest.ts'
import type { Log } from './log.ts'
import { loadPipelines, pipelineFolders } from './pipeline/load.ts'
import type { Keeping } from './entries.ts'
import type { Sink } from './ports.ts'
import { openConsumer } from './queue/consume.ts'
import { openQueue } from './queue/open.ts'
import { openTableSinks, tableSinkNames } from './sinks/open.ts'
import { resultsSink } from './sinks/results.ts'
import { startHousekeeper } from './work/housekeeper.ts'
import { startJanitor } from './work/janitor.ts'
import { limitsOf, openSupervisor } from './work/supervisor.ts'
import { startWorker, type WorkerOptions } from './work/worker.ts'

export interface App extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:5000`. */
  readonly url: string
  /** The same functions that the HTTP API calls. */
  readonly ingest: Ingest
}

/** Where the catalog is. */
export function catalogUrl({ CATALOG_URL, DATA }: Pick<Config, 'CATALOG_URL' | 'DATA'>): string {
  return CATALOG_URL ?? `sqlite:${join(DATA, 'catalog.db')}`
}

/**
 * Starts the roles of this process.
 * @throws {AppError} invalid (an address that is not loopback), conflict (a port that is taken), or what a driver says.
 */
export async function startApp(config: Config, { version, log }: { version: string; log: Log }): Promise<App> {
  refuseOpenAddress(config.HOST)
  await using stack = new AsyncDisposableStack()
  const { ROLES: roles, POLL: pollMs, LEASE: leaseMs } = config
  const pipelines = await loadPipelines(pipelineFolders(config.PIPELINES), tableSinkNames(config))
  await makeDataFolder(config.DATA)
  if (config.INBOX !== undefined) await refuseOverlap(config.DATA, config.INBOX)

  const keeping = keepingOf(config)
  const fail = failAt(config.FAILPOINT, log)
  const catalog = stack.use(await openCatalog(catalogUrl(config), { log, keeping, fail }))
  const blobs = await openBlobs(config.BLOBS_URL, join(config.DATA, 'blobs'), { log, fail })
  const queue = stack.use(await openQueue(config.QUEUE_URL, catalog, { pollMs, log, fail }))
  const stores = { catalog, blobs, queue, fail, log }
  const scratch = join(config.DATA, 'scratch')
  const doors = join(config.DATA, 'doors')
  const ingest = createIngest({
    ...stores,
    pipelines,
    limits: uploadLimits(config),
    scratch: doors,
    leaseMs,
    now: Date.now,
  })

  stack.use(startHousekeeper({ catalog, scratch, doors, log }))
  if (roles.has('janitor')) {
    stack.use(startJanitor({ ...stores, pollMs, maxLostLeases: config.LOST_LEASES }))
  }
  if (roles.has('worker')) await work(config, { ...stores, scratch }, stack)
  if (roles.has('upload') && config.INBOX !== undefined) {
    const { INBOX: folder, INBOX_RUN: run, INBOX_SETTLE: settleMs } = config
    stack.use(
      await startInbox({ ingest, folder, run, settleMs, pollMs: Math.min(pollMs, settleMs), now: Date.now, log }),
    )
  }
  const door = roles.has('upload') ? await watchBucket(config, { ingest, log }, stack) : {}
  const checks = Object.entries({ catalog, blobs, queue, ...door }).map(([name, part]) => ({
    name,
    check: () => part.ping(),
  }))
  const timeouts = { headers: config.HEADER_TIMEOUT, idle: config.IDLE_TIMEOUT }
  const folderRun = config.API_UPLOAD
  const server = await createServer({ ingest, roles, keeping, version, checks, folderRun, timeouts, log })
  stack.defer(async () => {
    // Whoever is still sending after the drain comes back to a service that has started again.
    const cut = setTimeout(() => server.server.closeAllConnections(), config.DRAIN)
    await server.close()
    clearTimeout(cut)
  })
  const url = await listen(server, config)
  const running = stack.move()
  return { url, ingest, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** Starts the role that has secrets of sinks, and children. */
async function work(
  config: Config,
  stores: Pick<WorkerOptions, 'catalog' | 'blobs' | 'queue' | 'scratch' | 'fail' | 'log'>,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { fail } = stores
  const results = resultsSink(stores.blobs)
  const sinks = new Map<string, Sink>([
    ['results', results],
    ['metadata', results],
    ...(await openTableSinks(config, fail)),
  ])
  const engine = stack.use(openSupervisor(config, stores.log))
  const { ATTEMPTS: attempts, CRASHES: crashes, BACKOFF: backoff, BACKOFF_MAX: backoffMax } = config
  stack.use(
    startWorker({
      ...stores,
      engine,
      sinks,
      workers: config.WORKERS,
      leaseMs: config.LEASE,
      timeoutMs: config.TASK_TIMEOUT,
      drainMs: config.DRAIN,
      retry: { attempts, crashes, backoff, backoffMax },
      limits: limitsOf(config),
      now: Date.now,
      random: Math.random,
    }),
  )
}

/**
 * Takes in what is put into a bucket, if there is one.
 * @returns what must answer for that.
 */
async function watchBucket(
  config: Config,
  { ingest, log }: { ingest: Ingest; log: Log },
  stack: AsyncDisposableStack,
): Promise<Record<string, { ping(): Promise<void> }>> {
  const { BUCKET_URL, BUCKET_EVENTS, BUCKET_RUN: run, QUEUE_URL: bells, POLL: pollMs, LEASE: holdMs } = config
  const found = checkSettings({ url: BUCKET_URL, events: BUCKET_EVENTS, run, bells }, ingest.pipelines)
  if (found === undefined) return {}
  const bucket = await openBucket(found.url, { log })
  const door = createDoor({ ingest, bucket, run, pollMs, log })
  const events = await openConsumer(found.events, door, { setting: eventsSetting, hands, holdMs, log })
  return { bucket, events: stack.use(events) }
}

function uploadLimits({ MAX_UPLOAD, MAX_UNPACKED, DISK_RESERVE, PART_SIZE }: Config): Ingest['limits'] {
  return { maxUpload: MAX_UPLOAD, maxUnpacked: MAX_UNPACKED, diskReserve: DISK_RESERVE, segment: PART_SIZE }
}

function keepingOf({ KEEP_INCOMPLETE, KEEP_FILES, QUOTA, OWNER_QUOTA }: Config): Keeping {
  return {
    ...usualKeeping,
    incompleteMs: KEEP_INCOMPLETE,
    filesMs: KEEP_FILES,
    quota: QUOTA ?? Number.POSITIVE_INFINITY,
    ownerQuota: OWNER_QUOTA ?? Number.POSITIVE_INFINITY,
  }
}

/** Until there are users, whoever can reach the service owns it: so nobody else may. */
function refuseOpenAddress(host: string): void {
  if (host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)) return
  throw new AppError(
    'invalid',
    `ROWMILL_HOST=${host} would let anyone on the network in, and there are no users yet. Use 127.0.0.1, ::1 or localhost.`,
  )
}

/** The inbox would take the catalog for a file that has arrived. */
async function refuseOverlap(data: string, inbox: string): Promise<void> {
  const places = await Promise.all([data, inbox].map((path) => realpath(path).catch(() => resolve(path))))
  const [first = '', second = ''] = places.map((path) => join(path, sep))
  if (!first.startsWith(second) && !second.startsWith(first)) return
  throw new AppError(
    'invalid',
    `ROWMILL_INBOX=${inbox} and ROWMILL_DATA=${data} must not lie in one another. Give the inbox a folder of its own.`,
  )
}

async function makeDataFolder(path: string): Promise<void> {
  try {
    await makePath(path)
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined || isDiskFull(error)) throw error
    throw new AppError(
      'invalid',
      `The data folder ${path} cannot be made, or is none to write to (${errno}). Let Rowmill write there, or set ROWMILL_DATA to another folder.`,
      { cause: error },
    )
  }
}

async function listen(
  server: Awaited<ReturnType<typeof createServer>>,
  { HOST: host, PORT: port }: Pick<Config, 'HOST' | 'PORT'>,
): Promise<string> {
  try {
    await server.listen({ host, port })
  } catch (error) {
    const where = `${host}:${port}`
    if (errnoOf(error) === 'EADDRINUSE') {
      throw new AppError(
        'conflict',
        `${where} is taken by another program. Stop it, or set ROWMILL_PORT to another port.`,
      )
    }
    if (errnoOf(error) === 'EACCES')
      throw new AppError('invalid', `${where} may not be used. Choose a port from 1024 on.`)
    throw error
  }
  const { address, port: taken, family } = server.server.address() as AddressInfo
  return `http://${host === 'localhost' ? host : family === 'IPv6' ? `[${address}]` : address}:${taken}`
}
