/** How fast a big file gets into the service, by each of its ways, beside other servers. */
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import type { BenchFile } from './files.ts'
import { median, type Result, sumUp, turns } from './measure.ts'
import { machine, medianOf, megabytes, roundsOf, table, writeSection } from './report.ts'
import { textsFile } from './texts.ts'
import { cut } from './upload/client.ts'
import { allDoors, names, twenty } from './upload/doors.ts'
import { refuseOther } from './upload/held.ts'
import { findNginx } from './upload/nginx.ts'
import { copy, type Run, send, type Sent } from './upload/run.ts'

/** Bytes resident at most, of the service, with twenty uploads at once. */
const most = 200e6

interface Outcome extends Result {
  readonly processor: number
}

interface Contender {
  readonly name: string
  readonly run: (folder: string, isFirst: boolean) => Promise<Sent>
}

/** @throws {Error} when a server does not hold what was sent, or the service has needed more memory than it may. */
export async function upload(options: BenchOptions, context: BenchContext): Promise<void> {
  const { rounds, write } = options
  const { signal, say } = context
  const file = await textsFile('wide', options.megabytes, context)
  const nginx = await findNginx()
  const programs = nginx === undefined ? [] : [`nginx ${nginx.version}`]
  const on = [machine('@tus/server', '@tus/file-store'), ...programs].join(', ')
  say(on)
  const leftOut =
    nginx === undefined ? 'nginx is left out: it is not installed (apt-get install nginx-light).' : undefined
  if (leftOut !== undefined) say(leftOut)

  const contenders: Contender[] = [
    ...allDoors(nginx).map((door) => ({
      name: door.name,
      run: async (folder: string, isFirst: boolean) => await send(door, file, folder, signal, isFirst),
    })),
    { name: names.dd, run: async (folder) => await copy(file, folder, signal) },
  ]
  const results = await race(contenders, file, rounds, context)
  const crowd = await inFolder(async (folder) => await send(twenty, file, folder, signal, true))
  const slices = cut({ path: file.path, start: 0, bytes: file.bytes }, Math.ceil(file.bytes / crowd.held.length))
  for (const [i, slice] of slices.entries()) await refuseOther(twenty.name, crowd.held[i] ?? [], slice)

  const section = [
    `${megabytes(file.bytes)}; ${roundsOf(rounds)}. ${on}.`,
    '',
    ...resultTable(results, file),
    '',
    `Twenty uploads of ${megabytes(file.bytes / 20)} at once, every second one by tus, took the service ` +
      `${crowd.seconds.toFixed(2)} s, and ${megabytes(crowd.peaks.own)} at most. Allowed are ${megabytes(most)}.`,
    ...(leftOut === undefined ? [] : ['', leftOut]),
  ]
  for (const line of section) say(line)
  if (crowd.peaks.own > most) throw new Error(`${megabytes(crowd.peaks.own)} are more than the service may need.`)
  if (write) await writeSection('upload', section)
}

/** Everybody is asked for the bytes once, in the first round. */
async function race(
  contenders: readonly Contender[],
  file: BenchFile,
  rounds: number,
  { say }: BenchContext,
): Promise<Outcome[]> {
  const runs = new Map<string, Run[]>(contenders.map(({ name }) => [name, []]))
  for (const [round, { name, run }] of turns(contenders, rounds)) {
    const sent = await inFolder(async (folder) => await run(folder, round === 0))
    const { seconds, processor, peaks, held } = sent
    say(`${name}: ${seconds.toFixed(2)} s, ${processor.toFixed(2)} s of a processor, ${megabytes(peaks.own)}`)
    if (round === 0) await refuseOther(name, held.flat(), { path: file.path, start: 0, bytes: file.bytes })
    runs.get(name)?.push(sent)
  }
  return Array.from(runs, ([name, all]) => {
    return { ...sumUp(name, all), processor: median(all.map(({ processor }) => processor)) }
  })
}

/** A new folder, and what the work makes of it. */
async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
  return await work(temporary.path)
}

/** Whom of the reference server each way of tus is held against. */
const references: Readonly<Record<string, string>> = {
  [names.tusChunks]: names.tusServerChunks,
  [names.tusWhole]: names.tusServerWhole,
  [names.tusServerChunks]: names.tusServerChunks,
  [names.tusServerWhole]: names.tusServerWhole,
  [names.durableTusServer]: names.tusServerChunks,
}

/** Who answers no sooner than the service does, with as little as that takes. */
const asDurable: Readonly<Record<string, string>> = {
  [names.put]: names.durablePipe,
  [names.tusChunks]: names.durableTusServer,
  [names.tusWhole]: names.durablePipe,
  [names.pieces]: names.durablePipe,
  [names.durablePipe]: names.durablePipe,
  [names.durableTusServer]: names.durableTusServer,
}

function resultTable(results: readonly Outcome[], { bytes }: BenchFile): string[] {
  const header = [
    '',
    'median',
    'from, to',
    'MB/s',
    `${names.pipe} = 1`,
    '@tus/server = 1',
    'as durable = 1',
    '`dd` = 1',
    'processor',
    'peak memory',
  ]
  return table(
    header,
    results.map(({ name, seconds, processor, peaks }) => {
      const to = (base: string | undefined) =>
        base === undefined ? '' : (seconds.median / medianOf(base, results)).toFixed(2)
      return [
        name,
        `${seconds.median.toFixed(2)} s`,
        `${seconds.least.toFixed(2)} to ${seconds.most.toFixed(2)} s`,
        Math.round(bytes / 1e6 / seconds.median).toLocaleString('en'),
        to(names.pipe),
        to(references[name]),
        to(asDurable[name]),
        to(names.dd),
        `${processor.toFixed(2)} s`,
        megabytes(peaks.own),
      ]
    }),
  )
}
