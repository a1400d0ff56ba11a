/** What every bell must do: ring at least once for every task, in any order, for one answerer at a time. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openCatalog } from '../../src/catalog/open.ts'
import { createLog } from '../../src/log.ts'
import type { Catalog, Queue } from '../../src/ports.ts'
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
    await using _ = queue.answer(async (task) => heard.say(task))
    for (const task of tasks.slice(2)) await queue.ring(task)
    await heard.until(4)
    assert.deepEqual(new Set(heard.said), new Set(tasks))
  })

  check('an answerer has one call at a time, and several answerers work side by side', 6, async (queue, tasks) => {
    const { promise: together, resolve } = Promise.withResolvers<void>()
    const heard = collector()
    const running = new Map<number, number>()
    let most = 0
    for (const answerer of [1, 2]) {
      queue.answer(async (task) => {
        const calls = (running.get(answerer) ?? 0) + 1
        running.set(answerer, calls)
        most = Math.max(most, calls)
        // Nobody gets past this but two answerers in a call at the same moment.
        if (running.get(1) === 1 && running.get(2) === 1) resolve()
        await together
        await nextTurn()
        running.set(answerer, calls - 1)
        heard.say(task)
      })
    }
    for (const task of tasks) await queue.ring(task)
    await heard.until(6)
    assert.equal(most, 1)
    assert.ok(tasks.every((task) => heard.said.includes(task)))
  })

  check('a bell that rings during the task’s own call is answered after it', 1, async (queue, [task = '']) => {
    const heard = collector()
    let inside = 0
    let most = 0
    const handler = async (id: string) => {
      most = Math.max(most, ++inside)
      heard.say(id)
      if (heard.said.length === 1) await queue.ring(task)
      for (let turn = 0; turn < 20; turn++) await nextTurn()
      inside--
    }
    queue.answer(handler)
    queue.answer(handler)
    await queue.ring(task)
    await heard.until(2)
    assert.deepEqual(heard.said.slice(0, 2), [task, task])
    assert.equal(most, 1)
  })

  check('a call that fails neither stops the others nor loses its task', 5, async (queue, tasks) => {
    const heard = collector()
    const failedOnce = new Set<string>()
    await using _ = queue.answer(async (task) => {
      if (!failedOnce.has(task)) {
        failedOnce.add(task)
        throw new Error('not now')
      }
      heard.say(task)
    })
    for (const task of tasks) await queue.ring(task)
    await heard.until(5)
    assert.ok(tasks.every((task) => heard.said.includes(task)))
  })

  check('who stops answering ends the call in hand, and the rest is left to others', 3, async (queue, tasks) => {
    const heard = collector()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const first = queue.answer(async (task) => {
      heard.say(task)
      await go
      heard.say('done')
    })
    for (const task of tasks) await queue.ring(task)
    await heard.until(1)
    const stopped = first[Symbol.asyncDispose]().then(() => heard.say('stopped'))
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    goOn()
    await stopped
    assert.deepEqual(heard.said.slice(1), ['done', 'stopped'])
    const later = collector()
    await using _ = queue.answer(async (task) => later.say(task))
    const rest = tasks.filter((task) => task !== heard.said[0])
    while (!rest.every((task) => later.said.includes(task))) await nextTurn()
    assert.equal(heard.said.length, 3)
  })

  check('however often and for whomever it rings, each task is done once', 20, async (queue, tasks, catalog) => {
    const heard = collector()
    const work = async (task: string) => {
      const claimed = await catalog.claim(task, hour)
      if (claimed === undefined) return
      const verdict = { state: 'succeeded', balances: { inputs: {}, outputs: {} }, warnings: [], outputs: [] } as const
      if (await catalog.finish(task, claimed.attempt, { ...verdict, rejects: null })) heard.say(task)
    }
    const answerers = [work, work, work].map((handler) => queue.answer(handler))
    for (let times = 0; times < 3; times++) for (const task of tasks) await queue.ring(task)
    await heard.until(20)
    for (const answerer of answerers) await answerer[Symbol.asyncDispose]()
    assert.deepEqual(heard.said.toSorted(), tasks.toSorted())
    const ended = await catalog.listTasks('local', { limit: 99, state: 'succeeded' })
    assert.ok(ended.length === 20 && ended.every(({ attempt }) => attempt === 1))
  })
}
