/**
 * `node test/crash/outage-long.ts [SECONDS]`: each server of each stack goes away under its services for so long (60 by
 * default): connections are refused, or nothing comes through any more, or it is killed. Files are sent all the time. What is
 * acknowledged is done when the server is back, and nobody starts anything anew.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checker.ts'
import { type Env, temporaryFolder, until } from '../harness.ts'
import { type Proxy, startProxy } from '../proxy.ts'
import { startServer, type TestServer } from '../servers.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { openStack, type StackName } from './stacks.ts'

const seconds = Number(process.argv[2] ?? 60)
const clients = 2
/** Between two files of a client, in milliseconds. */
const pauseMs = 1_000

interface Server {
  readonly name: string
  /** The setting whose URL leads to it. */
  readonly setting: keyof Env
  /** What it is started by; undefined where it is not a process of its own. */
  readonly kind?: Parameters<typeof startServer>[0]
}

const remote = [
  [
    'amqp-postgres-s3',
    [
      { name: 'PostgreSQL', setting: 'ROWMILL_CATALOG_URL', kind: 'postgres' },
      { name: 'RabbitMQ', setting: 'ROWMILL_QUEUE_URL', kind: 'rabbitmq' },
      { name: 'S3', setting: 'ROWMILL_BLOBS_URL', kind: 'radosgw' },
    ],
  ],
  [
    'sqs-mariadb-disk',
    [
      { name: 'MariaDB', setting: 'ROWMILL_CATALOG_URL', kind: 'mariadb' },
      { name: 'SQS', setting: 'ROWMILL_QUEUE_URL' },
    ],
  ],
] as const satisfies readonly (readonly [StackName, readonly Server[]])[]

const env = { ROWMILL_LEASE: '2s', ROWMILL_POLL: '200ms', ROWMILL_THREADS: '1' }
const say = (line: string) => process.stdout.write(`${line}\n`)

interface Acknowledged {
  readonly upload: string
  readonly sha256: string
  readonly task: string
  readonly row: string
}

/** How a server goes away, and comes back. */
interface Manner {
  readonly begin: () => Promise<void>
  readonly end: () => Promise<void>
}

interface Run {
  readonly fleet: Fleet
  readonly all: Acknowledged[]
  /** A number that nobody else gets. */
  readonly nextRow: () => number
}

for (const [name, servers] of remote) await goThrough(name, servers)

async function goThrough(name: StackName, servers: readonly Server[]): Promise<void> {
  await using folder = await temporaryFolder()
  await using owned = new AsyncDisposableStack()
  const started = new Map<string, TestServer>()
  for (const { kind } of servers) {
    if (kind === undefined) continue
    const server = owned.use(await startServer(kind, { durable: true }))
    started.set(kind, server)
    process.env[`TEST_${kind.toUpperCase()}_URL`] = server.url
  }
  await using stack = await openStack(name, folder)
  const proxies = new Map<string, Proxy>()
  const through: Record<string, string> = {}
  for (const { setting } of servers) {
    const [to, proxy] = await lead(stack.env[setting] ?? assert.fail(setting))
    proxies.set(setting, owned.use(proxy))
    through[setting] = to
  }
  await using fleet = await startFleet({ ...stack, env: { ...stack.env, ...through } }, env)
  const all: Acknowledged[] = []
  let rows = 0
  const run = { fleet, all, nextRow: () => ++rows }
  await done(fleet, [await sendUntilTaken(run, 'first')])
  for (const { name: server, setting, kind } of servers) {
    const proxy = proxies.get(setting) ?? assert.fail(setting)
    const owner = kind && started.get(kind)
    await outage(run, `${server} refuses connections`, {
      begin: async () => proxy.set('reset'),
      end: async () => proxy.set('pass'),
    })
    await outage(run, `${server} is out of reach`, {
      begin: async () => proxy.set('hold'),
      end: async () => {
        // Like a cable that is plugged in again: what was open is of no use to anybody.
        proxy.set('reset')
        proxy.set('pass')
      },
    })
    if (owner === undefined) continue
    // A queue that was just made must have been written down: RabbitMQ does so when it ends in good order.
    if (kind === 'rabbitmq') await restart(owner)
    await outage(run, `${server} is killed`, { begin: () => owner.kill(), end: () => owner.start() })
  }
  await fleet.stop()
  await check({
    data: stack.folderOf(0),
    env: stack.env,
    uploads: new Map(all.map(({ upload, sha256 }) => [upload, sha256])),
    tables: [
      {
        rows: await stack.sink.texts('SELECT id FROM people'),
        expected: all.map(({ row }) => row),
        ledger: await stack.sink.texts('SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL'),
      },
    ],
  })
}

async function restart(server: TestServer): Promise<void> {
  await server.end()
  await server.start()
}

/** Another URL for the same, through a proxy. */
async function lead(url: string): Promise<[url: string, proxy: Proxy]> {
  const place = /127\.0\.0\.1(:|%3A)(\d+)/.exec(url) ?? assert.fail(url)
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(place[2]) })
  return [url.replace(place[0], `127.0.0.1${place[1]}${proxy.port}`), proxy]
}

async function outage(run: Run, what: string, { begin, end }: Manner): Promise<void> {
  const { fleet, all } = run
  const before = all.length
  await begin()
  const stop = new AbortController()
  let refused = 0
  const client = async (_: unknown, number: number) => {
    for (let nth = 0; !stop.signal.aborted; nth++) {
      await sendUntilTaken(run, `${what} ${number} ${nth}`, () => refused++)
      await sleep(pauseMs)
    }
  }
  const sending = Promise.all(Array.from({ length: clients }, client))
  await Promise.race([sending, sleep(seconds * 1_000)])
  const during = all.length - before
  await end()
  const began = performance.now()
  await until(`the services are ready after this: ${what}`, async () => (await fetch(`${fleet.url}/readyz`)).ok)
  const ready = (performance.now() - began) / 1_000
  stop.abort()
  await sending
  await done(fleet, all.slice(before))
  const ended = (performance.now() - began) / 1_000
  say(
    `${what} for ${seconds} s: ${during} files taken meanwhile and ${refused} answers of 503; ready after ` +
      `${ready.toFixed(1)} s, and all was done after ${ended.toFixed(1)} s`,
  )
}

/** One file of one row, sent until it is acknowledged. Whoever cannot take it says so, and when to come again. */
async function sendUntilTaken(
  { fleet, all, nextRow }: Run,
  name: string,
  onRefused: () => void = () => {},
): Promise<Acknowledged> {
  const row = String(nextRow())
  const body = `id,text\n${row},${name}\n`
  const query = String(new URLSearchParams({ name: 'one.csv', pipeline: 'load', 'param.table': 'people' }))
  for (;;) {
    const headers = { 'idempotency-key': encodeURIComponent(name) }
    const response = await fetch(`${fleet.url}/v1/uploads?${query}`, { method: 'PUT', body, headers })
    const text = await response.text()
    if (response.ok) {
      const { upload, task } = JSON.parse(text) as { upload: { id: string }; task: { id: string } }
      const sha256 = createHash('sha256').update(body).digest('hex')
      const one = { upload: upload.id, sha256, task: task.id, row }
      all.push(one)
      return one
    }
    // 409: an earlier request with this key is still at it.
    assert.ok(response.status === 503 || response.status === 409, `${response.status} ${text}`)
    if (response.status === 503) {
      assert.ok(Number(response.headers.get('retry-after')) > 0, 'no Retry-After')
      onRefused()
    }
    await sleep(200)
  }
}

async function done(fleet: Fleet, tasks: readonly Acknowledged[]): Promise<void> {
  for (const { task } of tasks) {
    await until(`task ${task} succeeds`, async () => {
      const response = await fetch(`${fleet.url}/v1/tasks/${task}`)
      if (response.status === 503) return false
      const { state, error } = (await response.json()) as { state: string; error: unknown }
      assert.ok(['queued', 'running', 'succeeded'].includes(state), JSON.stringify(error))
      return state === 'succeeded'
    })
  }
}
