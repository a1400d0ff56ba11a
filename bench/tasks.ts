/** How many tasks a second the catalog and the queue can take, begin and end, beside other queues. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freshDatabase, freshQueue } from '../test/servers.ts'
import { startSqs } from '../test/sqs-fixture.ts'
import { temporaryFolder } from '../test/harness.ts'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import { measure, median, turns } from './measure.ts'
import { machine, roundsOf, table, writeSection } from './report.ts'
import { startServers } from './servers.ts'
import { profiles } from './tasks/profiles.ts'
import type { Lap } from './tasks/race.ts'
import { redisVersion, startRedis } from './tasks/redis.ts'

interface Contender {
  readonly name: string
  /** What its script is called with. */
  readonly script: string
  readonly args: (folder: string) => Promise<readonly string[]>
}

const peers = fileURLToPath(new URL('tasks/peers/', import.meta.url))
const first = 'graphile-worker'

/** @throws {Error} when a server or a package is not there. */
export async function tasks(options: BenchOptions, context: BenchContext): Promise<void> {
  const { rounds, write, rows: count } = options
  const { signal, say } = context
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: peers })
  const redis = await redisVersion()
  if (redis === undefined) throw new Error('Redis is not installed; on Debian or Ubuntu: apt-get install redis-server')
  await using stack = new AsyncDisposableStack()
  stack.use(await startServers())
  const sqs = stack.use(await startSqs())
  const fresh = async () => stack.use(await freshDatabase('postgres')).url

  const contenders: readonly Contender[] = [
    {
      name: 'local, SQLite',
      script: 'rowmill',
      args: async (folder) => [`sqlite:${join(folder, 'catalog.db')}`, 'local'],
    },
    { name: 'local, PostgreSQL', script: 'rowmill', args: async () => [await fresh(), 'local'] },
    { name: 'RabbitMQ, PostgreSQL', script: 'rowmill', args: async () => [await fresh(), await freshQueue()] },
    { name: 'SQS (stand-in), PostgreSQL', script: 'rowmill', args: async () => [await fresh(), sqs.freshQueue()] },
    { name: first, script: 'peers/graphile-worker', args: async () => [await fresh()] },
    { name: 'pg-boss', script: 'peers/pg-boss', args: async () => [await fresh()] },
    {
      name: 'BullMQ',
      script: 'peers/bullmq',
      args: async (folder) => [String(stack.use(await startRedis(folder)).port)],
    },
  ]
  const { dependencies } = JSON.parse(await readFile(join(peers, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const versions = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
  const on = [machine(), ...versions, `Redis ${redis}`].join(', ')
  say(on)

  const laps = new Map<string, Lap[]>(contenders.map(({ name }) => [name, []]))
  for (const [, { name, script, args }] of turns(contenders, rounds)) {
    await using folder = await temporaryFolder()
    const file = fileURLToPath(new URL(`tasks/${script}.ts`, import.meta.url))
    const given = [file, ...(await args(folder.path)), String(count)]
    const { stdout } = await measure({ file: process.execPath, args: given }, folder.path, signal)
    const lap = JSON.parse(stdout) as Lap
    say(`${name}: ${Math.round(lap.rate)} a second, begun after ${lap.p50.toFixed(1)} ms, p99 ${lap.p99.toFixed(1)} ms`)
    laps.get(name)?.push(lap)
  }

  const results = Array.from(laps, ([name, all]) => ({
    name,
    rate: median(all.map(({ rate }) => rate)),
    p50: median(all.map(({ p50 }) => p50)),
    p99: median(all.map(({ p99 }) => p99)),
    processor: median(all.map(({ processor }) => processor)),
  }))
  const small = await profiles(
    [
      { name: 'local, SQLite', env: async () => ({}) },
      {
        name: 'RabbitMQ, PostgreSQL',
        env: async () => ({ ROWMILL_CATALOG_URL: await fresh(), ROWMILL_QUEUE_URL: await freshQueue() }),
      },
    ],
    rounds,
    context,
  )
  const base = results.find(({ name }) => name === first)?.rate ?? Number.NaN
  const section = [
    `${count.toLocaleString('en')} tasks; ${roundsOf(rounds)}. ${on}.`,
    '',
    ...table(
      ['', 'tasks a second', `${first} = 1`, 'begun after, median', 'p99', 'processor for 1,000'],
      results.map(({ name, rate, p50, p99, processor }) => [
        name,
        Math.round(rate).toLocaleString('en'),
        (rate / base).toFixed(2),
        `${p50.toFixed(1)} ms`,
        `${p99.toFixed(1)} ms`,
        `${processor.toFixed(2)} s`,
      ]),
    ),
    '',
    ...small,
  ]
  for (const line of section) say(line)
  if (write) await writeSection('tasks', section)
}
