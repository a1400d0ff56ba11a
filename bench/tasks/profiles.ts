/** Small tasks that do something: files of 1 KB through the whole service, profiled by its child process. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { temporaryFolder } from '../../test/harness.ts'
import { median, rowmill, turns } from '../measure.ts'
import type { BenchContext } from '../benchmark.ts'
import { allEnded, answerOf, many } from '../requests.ts'
import { startServer } from '../server.ts'
import { table } from '../report.ts'
import { allProcessorSeconds } from '../watch.ts'
import { type Lap, percentile } from './race.ts'

export interface Place {
  readonly name: string
  /** The settings of a fresh one. */
  readonly env: () => Promise<Readonly<Record<string, string>>>
}

const crowd = 200
/** Tasks that come one by one, and the milliseconds between two of them. */
const single = { count: 50, everyMs: 250 }

const kilobyte = `name,day,count\n${Array.from({ length: 40 }, (_, i) => `Song number ${i},2020-06-${(i % 28) + 1},${i}\n`).join('')}`

/** A table of what they came to. */
export async function profiles(places: readonly Place[], rounds: number, context: BenchContext): Promise<string[]> {
  const laps = new Map<string, Lap[]>(places.map(({ name }) => [name, []]))
  for (const [, place] of turns(places, rounds)) {
    const lap = await run(place, context.signal)
    context.say(`${place.name}, profiles: ${lap.rate.toFixed(1)} a second, begun after ${lap.p50.toFixed(0)} ms`)
    laps.get(place.name)?.push(lap)
  }
  const of = (all: readonly Lap[], what: keyof Lap) => median(all.map((lap) => lap[what]))
  return table(
    ['`profile` of 1 KB', 'tasks a second', 'begun after, median', 'p99', 'processor for 1,000'],
    Array.from(laps, ([name, all]) => [
      name,
      of(all, 'rate').toFixed(1),
      `${of(all, 'p50').toFixed(0)} ms`,
      `${of(all, 'p99').toFixed(0)} ms`,
      `${of(all, 'processor').toFixed(0)} s`,
    ]),
  )
}

async function run({ env }: Place, signal: AbortSignal): Promise<Lap> {
  await using folder = await temporaryFolder()
  const command = rowmill('serve')
  const settings = { ...command.env, ...(await env()), ROWMILL_DATA: folder.at('data'), ROWMILL_PORT: '0' }
  await using service = await startServer({ ...command, env: settings }, folder.path, signal)

  const send = async (n: number): Promise<TaskAnswer> => {
    const url = `${service.url}/v1/uploads?name=small-${n}.csv&pipeline=profile&again=true`
    const body = `${kilobyte}One more,2020-01-01,${n}\n`
    return (await answerOf<{ task: TaskAnswer }>(await fetch(url, { method: 'POST', body, signal }))).task
  }
  // What is started and compiled at the first time is not what is measured.
  await send(-1)
  await allEnded(service.url, signal)

  const before = allProcessorSeconds(service.pid)
  const began = performance.now()
  await many(crowd, async (n) => void (await send(n)))
  await allEnded(service.url, signal)
  const seconds = (performance.now() - began) / 1000
  const processor = ((allProcessorSeconds(service.pid) - before) / crowd) * 1000

  const tasks: TaskAnswer[] = []
  for (let n = 0; n < single.count; n++) {
    const [task] = await Promise.all([send(crowd + n), sleep(single.everyMs, undefined, { signal })])
    tasks.push(task)
  }
  await allEnded(service.url, signal)
  const waits: number[] = []
  for (const { id } of tasks) {
    const { createdAt, startedAt } = await answerOf<TaskAnswer>(
      await fetch(`${service.url}/v1/tasks/${id}`, { signal }),
    )
    waits.push(Date.parse(startedAt ?? '') - Date.parse(createdAt))
  }
  return { rate: crowd / seconds, p50: percentile(waits, 0.5), p99: percentile(waits, 0.99), processor }
}
