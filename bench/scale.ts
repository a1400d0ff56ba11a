/** What more worker processes bring: many files, profiled by one, two and four of them, and what they wait for then. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { UploadAnswer } from '../src/cli/client.ts'
import { temporaryFolder } from '../test/harness.ts'
import { freshDatabase, freshQueue, type TestServer } from '../test/servers.ts'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import { rowmill } from './measure.ts'
import { playsFile, playsPerMegabyte } from './plays.ts'
import { machine, table, writeSection } from './report.ts'
import { allEnded, answerOf, many } from './requests.ts'
import { type Server, startServer } from './server.ts'
import { startServers } from './servers.ts'
import { allProcessorSeconds } from './watch.ts'

const fleets = [1, 2, 4]

/** Seconds of a processor's time, by who has used it. */
type Use = Readonly<Record<'workers' | 'front' | 'PostgreSQL' | 'RabbitMQ', number>>

interface Run {
  readonly workers: number
  readonly seconds: number
  readonly use: Use
}

/** @throws {Error} when a server is not there, or a task fails. */
export async function scale(options: BenchOptions, context: BenchContext): Promise<void> {
  const { rows: count, megabytes, write } = options
  const { signal, say } = context
  const file = await playsFile(megabytes * playsPerMegabyte, context)
  await using folder = await temporaryFolder()
  await using stack = new AsyncDisposableStack()
  const { database, broker } = stack.use(await startServers())
  const shared = {
    ROWMILL_CATALOG_URL: stack.use(await freshDatabase('postgres')).url,
    ROWMILL_QUEUE_URL: await freshQueue(),
    ROWMILL_BLOBS_URL: `disk:${join(folder.path, 'blobs')}`,
    ROWMILL_PORT: '0',
  }
  const serve = (name: string, roles: string): Promise<Server> => {
    const command = rowmill('serve', '--roles', roles)
    const env = { ...command.env, ...shared, ROWMILL_DATA: join(folder.path, name) }
    return startServer({ ...command, env }, folder.path, signal)
  }
  const front = stack.use(await serve('front', 'upload,tasks,janitor'))
  const uploads = await fill(front, file.path, count, context)

  const runs: Run[] = []
  for (const workers of fleets) {
    await submit(front, uploads, context)
    const began = performance.now()
    const before = useOf([], front, database, broker)
    await using fleet = new AsyncDisposableStack()
    const members = await Promise.all(Array.from({ length: workers }, (_, n) => serve(`worker-${n}`, 'worker')))
    for (const member of members) fleet.use(member)
    await allEnded(front.url, signal)
    const seconds = (performance.now() - began) / 1000
    const after = useOf(members, front, database, broker)
    runs.push({ workers, seconds, use: lessThan(after, before) })
    say(`${workers} worker processes: ${seconds.toFixed(0)} s`)
  }

  const section = [
    `${count.toLocaleString('en')} files of ${(file.bytes / 1e6).toFixed(1)} MB; one run each. ${machine()}.`,
    '',
    ...table(
      ['worker processes', 'time', 'files a second', 'speed-up', 'processors busy', 'of a file: workers', ...others],
      runs.map((run) => lineOf(run, count, runs[0]?.seconds ?? Number.NaN)),
    ),
  ]
  for (const line of section) say(line)
  if (write) await writeSection('scale', section)
}

const others = ['front', 'PostgreSQL', 'RabbitMQ'] as const

function lineOf({ workers, seconds, use }: Run, count: number, alone: number): string[] {
  const each = (used: number) => `${((used / count) * 1000).toFixed(1)} ms`
  const all = use.workers + others.reduce((sum, name) => sum + use[name], 0)
  return [
    String(workers),
    `${seconds.toFixed(0)} s`,
    (count / seconds).toFixed(1),
    (alone / seconds).toFixed(2),
    `${(all / seconds).toFixed(2)} of ${availableParallelism()}`,
    each(use.workers),
    ...others.map((name) => each(use[name])),
  ]
}

function useOf(members: readonly Server[], front: Server, database: TestServer, broker: TestServer): Use {
  return {
    workers: members.reduce((sum, { pid }) => sum + allProcessorSeconds(pid), 0),
    front: allProcessorSeconds(front.pid),
    PostgreSQL: allProcessorSeconds(database.pid),
    RabbitMQ: allProcessorSeconds(broker.pid),
  }
}

function lessThan(after: Use, before: Use): Use {
  return {
    workers: after.workers - before.workers,
    front: after.front - before.front,
    PostgreSQL: after.PostgreSQL - before.PostgreSQL,
    RabbitMQ: after.RabbitMQ - before.RabbitMQ,
  }
}

/** Sends the file so often, each time with another last row: equal bytes would be kept once. */
async function fill({ url }: Server, path: string, count: number, { signal, say }: BenchContext): Promise<string[]> {
  const bytes = await readFile(path)
  const uploads: string[] = []
  await many(count, async (n) => {
    const body = Buffer.concat([bytes, Buffer.from(`Number ${n},2020-06-08,1\n`)])
    const response = await fetch(`${url}/v1/uploads?name=plays-${n}.csv`, { method: 'POST', body, signal })
    const { upload } = await answerOf<{ upload: UploadAnswer }>(response)
    uploads.push(upload.id)
  })
  say(`${count} files are there.`)
  return uploads
}

/** A task for each of them, while nobody works. */
async function submit({ url }: Server, uploads: readonly string[], { signal }: BenchContext): Promise<void> {
  await many(uploads.length, async (n) => {
    const body = JSON.stringify({ pipeline: 'profile', inputs: [{ upload: uploads[n] }], again: true })
    const headers = { 'content-type': 'application/json' }
    await answerOf(await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body, signal }))
  })
}
