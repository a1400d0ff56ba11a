/** What every bell must do: ring at least once for every task, in any order, for hands that take one at a time. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep, setImmediate as nextTurn } from 'node:timers/promises'
import { openCatalog } from '../../src/catalog/open.ts'
import { createLog } from '../../src/log.ts'
import type { Answer, Catalog, Queue } from '../../src/ports.ts'
import { rescan } from '../../src/work/rescan.ts'
import { taskOf } from './catalog-samples.ts'

const hour = 3_600_000

/** A catalog with tasks that are due, since bells are for those. */
export async function makeCatalog(count: number) {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-queue-'))
  const catalog = await openCatalog(`sqlite:${join(folder, 'catalog.db')}`, { log: createLog('silent') })
  const tasks: string[] = []
  for (let n = 0; n < count; n++) {
    tasks.push((await catalog.createTask(taskOf([]))).id)
  }
  return {
    catalog,
    tasks,
    async [Symbol.asyncDispose]() {
      await catalog[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** What handlers say, and a way to wait until they have said so much. */
export function collector() {
  const said: string[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  return {
    said,
    say(text: string) {
      said.push(text)
      for (const { count, resolve } of waiting) if (said.length >= count) resolve()
    },
    until(count: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push({ count, resolve })
      if (said.length >= count) resolve()
      return promise
    },
  }
}

/** A handler that says what it hears, and has nothing to do. */
export function sayer({ say }: { say: (text: string) => void }): Answer {
  return async (task) => {
    say(task)
    return undefined
  }
}

/** `open` gives a queue of the test's own; the catalog is for those that look there for what nobody rang. */
export function testQueue(name: string, open: (catalog: Catalog) => Promise<Queue>): void {
  function check(
    what: string,
    count: number,
    body: (queue: Queue, tasks: string[], catalog: Catalog) => Promise<void>,
  ) {
    // A bell that is lost would be waited for for ever.
    test(`${name}: ${what}`, { timeout: 60_000 }, async () => {
      await using made = await makeCatalog(count)
      await using queue = await open(made.catalog)
      await body(queue, made.tasks, made.catalog)
    })
  }

  check('every bell is answered, whether it rings before or after somebody listens', 4, async (queue, tasks) => {
    const heard = collector()
    for (const task of tasks.slice(0, 2)) await queue.ring(task)
    await using _ = queue.answer(sayer(heard))
    for (const task of tasks.slice(2)) await queue.ring(task)
    await heard.until(4)
    assert.deepEqual(new Set(heard.said), new Set(tasks))
  })

  check('a hand has one call or work at a time, and several work side by side', 6, async (queue, tasks) => {
    const { promise: together, resolve } = Promise.withResolvers<void>()
    const heard = collector()
    const busy = new Set<number>()
    let overlaps = 0
    for (const hand of [1, 2]) {
      queue.answer(async (task) => {
        if (busy.has(hand)) overlaps++
        busy.add(hand)
        await nextTurn()
        return async () => {
          // Nobody gets past this but two hands at work at the same moment.
          if (busy.size === 2) resolve()
          await together
          busy.delete(hand)
          heard.say(task)
        }
      })
    }
    for (const task of tasks) await queue.ring(task)
    await heard.until(6)
    assert.equal(overlaps, 0)
    assert.ok(tasks.every((task) => heard.said.includes(task)))
  })

  check('a bell that rings while its task is worked at is heard as well', 1, async (queue, [task = '']) => {
    const heard = collector()
    const handler = async (id: string) => {
      heard.say(id)
      return async () => {
        if (heard.said.length === 1) await queue.ring(id)
      }
    }
    queue.answer(handler)
    queue.answer(handler)
    await queue.ring(task)
    await heard.until(2)
    assert.deepEqual(heard.said.slice(0, 2), [task, task])
  })

  check('a hand at long work holds no bell: others hear it', 3, async (queue, [first = '', ...rest]) => {
    const heard = collector()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const { promise: isBusy, resolve: begin } = Promise.withResolvers<void>()
    await using _ = queue.answer(async (task) => {
      heard.say(task)
      return async () => {
        begin()
        await go
      }
    })
    await queue.ring(first)
    await isBusy
    for (const task of rest) await queue.ring(task)
    await using other = queue.answer(sayer(heard))
    await heard.until(3)
    assert.deepEqual(heard.said.toSorted(), [first, ...rest].toSorted())
    await other[Symbol.asyncDispose]()
    goOn()
  })

  check('a call that fails neither stops the others nor loses its task', 5, async (queue, tasks, catalog) => {
    const heard = collector()
    const failedOnce = new Set<string>()
    await using _ = queue.answer(async (task) => {
      if (!failedOnce.has(task)) {
        failedOnce.add(task)
        throw new Error('not now')
      }
      if ((await catalog.claim(task, hour)) !== undefined) heard.say(task)
      return undefined
    })
    for (const task of tasks) await queue.ring(task)
    await janitor(queue, catalog, heard.until(5))
    assert.deepEqual(heard.said.toSorted(), tasks.toSorted())
  })

  check('tasks that nobody rang for are found by the rescan', 3, async (queue, tasks, catalog) => {
    const heard = collector()
    await using _ = queue.answer(async (task) => {
      if ((await catalog.claim(task, hour)) !== undefined) heard.say(task)
      return undefined
    })
    await janitor(queue, catalog, heard.until(3))
    assert.deepEqual(heard.said.toSorted(), tasks.toSorted())
  })

  check('who stops answering ends the work in hand, and the rest is left to others', 3, async (queue, tasks) => {
    const heard = collector()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const first = queue.answer(async (task) => {
      heard.say(task)
      return async () => {
        await go
        heard.say('done')
      }
    })
    for (const task of tasks) await queue.ring(task)
    await heard.until(1)
    const stopped = first[Symbol.asyncDispose]().then(() => heard.say('stopped'))
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    goOn()
    await stopped
    assert.deepEqual(heard.said.slice(1), ['done', 'stopped'])
    const later = collector()
    await using _ = queue.answer(sayer(later))
    await later.until(2)
    const rest = tasks.filter((task) => task !== heard.said[0])
    assert.deepEqual(later.said.toSorted(), rest.toSorted())
    assert.equal(heard.said.length, 3)
  })

  check('however often and for whomever it rings, each task is done once', 20, async (queue, tasks, catalog) => {
    const heard = collector()
    const answerers = [1, 2, 3].map(() => queue.answer(oneEffect(catalog, heard)))
    const many = tasks.flatMap((task, n) => Array.from({ length: 2 + (n % 9) }, () => task))
    await Promise.all(many.map((task) => queue.ring(task)))
    await heard.until(20)
    // And again after the end.
    await Promise.all(tasks.map((task) => queue.ring(task)))
    for (const answerer of answerers) await answerer[Symbol.asyncDispose]()
    assert.deepEqual(heard.said.toSorted(), tasks.toSorted())
    await assertDoneOnce(catalog, 20)
  })

  check('says how many bells wait, and that it works', 3, async (queue, tasks) => {
    await queue.ping()
    for (const task of tasks) await queue.ring(task)
    // A queue that is kept elsewhere counts them after a moment.
    while ((await queue.waiting()) < 3) await sleep(10)
  })
}

/** The rounds of a janitor, until something has come about. */
async function janitor(queue: Queue, catalog: Catalog, end: Promise<void>): Promise<void> {
  const over = new AbortController()
  const ended = end.finally(() => over.abort())
  while (!over.signal.aborted) {
    await rescan({ catalog, queue })
    await Promise.race([ended, sleep(50)])
  }
}

/** What a worker does with a bell, but for the work: claims the task and finishes it, in the catalog. */
export function oneEffect(catalog: Catalog, heard: Pick<ReturnType<typeof collector>, 'say'>): Answer {
  return async (task) => {
    const claimed = await catalog.claim(task, hour)
    if (claimed === undefined) return undefined
    return async () => {
      const verdict = { state: 'succeeded', balances: { inputs: {}, outputs: {} }, warnings: [], outputs: [] } as const
      if (await catalog.finish(task, claimed.attempt, { ...verdict, rejects: null })) heard.say(task)
    }
  }
}

export async function assertDoneOnce(catalog: Catalog, count: number): Promise<void> {
  const ended = await catalog.listTasks('local', { limit: count + 1, state: 'succeeded' })
  assert.equal(ended.length, count)
  assert.ok(ended.every(({ attempt }) => attempt === 1))
}
