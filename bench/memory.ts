/** How much memory a big file takes with the default settings, through the service and by `rowmill run`. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type TaskAnswer } from '../src/cli/client.ts'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import { type Measured, measure } from './measure.ts'
import { launcher, playsFile } from './plays.ts'
import { machine, megabytes, table, writeSection } from './report.ts'
import { startServer } from './server.ts'
import { watchMemory } from './watch.ts'

/** Bytes resident at most, with the default settings. */
const most = { service: 250e6, child: 1e9 } as const

interface Outcome extends Pick<Measured, 'seconds' | 'peaks'> {
  readonly sha256: string
}

/** @throws {Error} when a process has needed more than it may, or the two ways differ in their result. */
export async function memory(
  { rows, write }: Pick<BenchOptions, 'rows' | 'write'>,
  context: BenchContext,
): Promise<void> {
  const { signal, say } = context
  const { path, bytes } = await playsFile(rows, context)
  await using work = await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
  say(machine())

  const service = await throughService(path, rows, work.path, signal)
  say(`service: ${service.seconds.toFixed(1)} s, ${megabytes(service.peaks.own)} + ${megabytes(service.peaks.child)}`)
  const local = await byRun(path, work.path, signal)
  say(`rowmill run: ${local.seconds.toFixed(1)} s, ${megabytes(local.peaks.own)} + ${megabytes(local.peaks.child)}`)
  if (service.sha256 !== local.sha256) throw new Error('The service and `rowmill run` give different results.')

  const cells = [['the service: upload, task, download', service] as const, ['`rowmill run`', local] as const].map(
    ([name, { seconds, peaks }]) => [name, `${seconds.toFixed(1)} s`, megabytes(peaks.own), megabytes(peaks.child)],
  )
  const section = [
    `${rows.toLocaleString('en')} rows, ${megabytes(bytes)}; one run each. ${machine()}.`,
    '',
    ...table(['', 'time', 'peak memory', 'of its child'], cells),
    '',
    `Both gave the same bytes. Allowed are ${megabytes(most.service)} for the process and ${megabytes(most.child)} for its child.`,
  ]
  for (const line of section) say(line)
  for (const { peaks } of [service, local]) refuseBig(peaks)
  if (write) await writeSection('memory', section)
}

function refuseBig({ own, child }: Measured['peaks']): void {
  if (own < most.service && child < most.child) return
  throw new Error(`${megabytes(own)} and ${megabytes(child)} in the child are more than is allowed.`)
}

/** Everything that a user does by HTTP: sends the file, waits for its task, fetches the result. */
async function throughService(path: string, rows: number, work: string, signal: AbortSignal): Promise<Outcome> {
  const settings = { ROWMILL_PORT: '0', ROWMILL_DATA: join(work, 'data') }
  await using server = await startServer({ file: launcher, args: ['serve'], env: settings }, work, signal)
  using watch = watchMemory(server.pid)
  const client = createClient({ URL: server.url, PORT: 0 }, signal)
  const started = performance.now()
  const sent = await client.upload<{ task: TaskAnswer }>('/v1/uploads?pipeline=song-plays', path, () => {})
  let { task } = sent
  while (task.state === 'queued' || task.state === 'running') {
    task = await client.get<TaskAnswer>(`${task.links.self}?wait=60`)
  }
  const accepted = task.balances?.inputs['plays']?.accepted
  const [output] = task.outputs
  if (task.state !== 'succeeded' || accepted !== rows || output === undefined || !('url' in output)) {
    throw new Error(`The task has ${task.state} with ${accepted} rows accepted: ${task.error?.message}`)
  }
  const sha256 = await digest(await client.download(output.url))
  return { seconds: (performance.now() - started) / 1000, peaks: watch.peaks, sha256 }
}

async function byRun(path: string, work: string, signal: AbortSignal): Promise<Outcome> {
  const folder = join(work, 'run')
  await mkdir(folder)
  const measured = await measure({ file: launcher, args: ['run', 'song-plays', path, '-o', folder] }, folder, signal)
  return { ...measured, sha256: await digest(createReadStream(join(folder, 'totals.csv'))) }
}

async function digest(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}
