/** The same course for every queue: tasks that do nothing, as fast as they can be had, and then one now and then. */
import { setTimeout as sleep } from 'node:timers/promises'
import { abreast, many } from '../requests.ts'

/** A queue, and those who work for it in this process. */
export interface System extends AsyncDisposable {
  /** Resolves once the task is durable. */
  submit(task: string): Promise<void>
  /** Begins to work on tasks that do nothing, with so many hands. */
  work(hands: number, told: Told): Promise<void>
}

/** Told of each task when it is begun, and when its end is durable. */
export interface Told {
  begun(task: string): void
  ended(task: string): void
}

export interface Lap {
  /** Tasks a second, from the first one that is submitted to the last one that has ended. */
  readonly rate: number
  /** Milliseconds from before a task is submitted to its beginning, of tasks that come one by one. */
  readonly p50: number
  readonly p99: number
  /** Seconds of a processor that a thousand of the first tasks have cost, in this process or the service and its child. */
  readonly processor: number
}

/** Tasks that come one by one, and the milliseconds between two of them. */
const single = { count: 300, everyMs: 20 }

/** Runs the course and prints the lap as JSON. `argv` ends with the number of tasks. */
export async function race(open: () => Promise<System>): Promise<void> {
  const count = Number(process.argv.at(-1))
  await using system = await open()
  const submitted = new Map<string, number>()
  const waits: number[] = []
  let left = 0
  let { promise: done, resolve } = Promise.withResolvers<void>()
  await system.work(abreast, {
    begun(task) {
      waits.push(performance.now() - (submitted.get(task) ?? Number.NaN))
    },
    ended() {
      if (--left === 0) resolve()
    },
  })
  const expect = (tasks: number) => {
    left = tasks
    ;({ promise: done, resolve } = Promise.withResolvers<void>())
  }
  const submit = async (task: string) => {
    submitted.set(task, performance.now())
    await system.submit(task)
  }
  // What is prepared and compiled at the first time is not what is measured.
  expect(abreast)
  await many(abreast, (n) => submit(`warm-${n}`))
  await done

  expect(count)
  const cpu = process.cpuUsage()
  const began = performance.now()
  await many(count, (n) => submit(`task-${n}`))
  await done
  const seconds = (performance.now() - began) / 1000
  const { user, system: kernel } = process.cpuUsage(cpu)

  expect(single.count)
  waits.length = 0
  for (let n = 0; n < single.count; n++) {
    await Promise.all([submit(`single-${n}`), sleep(single.everyMs)])
  }
  await done
  const processor = ((user + kernel) / 1e6 / count) * 1000
  const [p50, p99] = [percentile(waits, 0.5), percentile(waits, 0.99)]
  process.stdout.write(JSON.stringify({ rate: count / seconds, p50, p99, processor } satisfies Lap))
}

/** @param share from 0 to 1. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
