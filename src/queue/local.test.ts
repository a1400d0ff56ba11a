import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { taskOf } from '../../test/contracts/catalog-samples.ts'
import { collector, makeCatalog, sayer, testQueue } from '../../test/contracts/queue.ts'
import { createLog } from '../log.ts'
import { openLocalQueue } from './local.ts'

const log = createLog('silent')
const hour = 3_600_000
/** A bell that is lost would be waited for for ever. */
const timeout = 60_000

testQueue('local', async (catalog) => openLocalQueue(catalog, { pollMs: 10, log }))

test('tasks that nobody rang for are found in the catalog', { timeout }, async () => {
  await using made = await makeCatalog(3)
  const { catalog, tasks } = made
  await using queue = openLocalQueue(catalog, { pollMs: 10, log })
  const heard = collector()
  queue.answer(async (task) => {
    if ((await catalog.claim(task, hour)) !== undefined) heard.say(task)
    return undefined
  })
  await heard.until(3)
  assert.deepEqual(heard.said, tasks)
  const { id } = await catalog.createTask(taskOf([]))
  await heard.until(4)
  assert.equal(heard.said[3], id)
})

test('with an answerer that sleeps, a bell needs no poll', { timeout }, async () => {
  await using made = await makeCatalog(0)
  await using queue = openLocalQueue(made.catalog, { pollMs: hour, log })
  const { promise: heard, resolve } = Promise.withResolvers<string>()
  await using _ = queue.answer(sayer({ say: resolve }))
  await made.catalog.ping()
  await queue.ring('now')
  assert.equal(await heard, 'now')
})

test('a bell that rings while its task is worked at is heard after that', { timeout }, async () => {
  await using queue = openLocalQueue({ dueTasks: async () => [] }, { pollMs: hour, log })
  const heard = collector()
  let inside = 0
  let most = 0
  const handler = async (task: string) => async () => {
    most = Math.max(most, ++inside)
    heard.say(task)
    if (heard.said.length === 1) await queue.ring(task)
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    inside--
  }
  queue.answer(handler)
  queue.answer(handler)
  await queue.ring('now')
  await heard.until(2)
  assert.equal(most, 1)
})

test('a backlog longer than a page is worked off without waiting', { timeout }, async () => {
  const due = new Set(Array.from({ length: 2_500 }, (_, n) => `task-${n}`))
  const dueTasks = async (limit: number) => [...due].slice(0, limit)
  await using queue = openLocalQueue({ dueTasks }, { pollMs: hour, log })
  const { promise: all, resolve } = Promise.withResolvers<void>()
  await using _ = queue.answer(async (task) => {
    due.delete(task)
    if (due.size === 0) resolve()
    return undefined
  })
  await all
})

test('a catalog that cannot answer is asked again', { timeout }, async () => {
  await using made = await makeCatalog(1)
  let asked = 0
  const dueTasks = async (limit: number) => {
    if (++asked < 3) throw new Error('the database is away')
    return await made.catalog.dueTasks(limit)
  }
  await using queue = openLocalQueue({ dueTasks }, { pollMs: 1, log })
  const { promise: heard, resolve } = Promise.withResolvers<string>()
  await using _ = queue.answer(sayer({ say: resolve }))
  assert.equal(await heard, made.tasks[0])
  assert.ok(asked >= 3)
})

test('a queue that is disposed of keeps no process alive', { timeout }, async () => {
  const source = `
    import { openLocalQueue } from ${JSON.stringify(import.meta.resolve('./local.ts'))}
    import { createLog } from ${JSON.stringify(import.meta.resolve('../log.ts'))}
    const queue = openLocalQueue({ dueTasks: async () => [] }, { pollMs: ${hour}, log: createLog('warn') })
    for (let n = 0; n < 3; n++) queue.answer(async () => undefined)
    await new Promise((resolve) => setTimeout(resolve, 20))
    await queue[Symbol.asyncDispose]()
    console.log('disposed')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  assert.deepEqual(await once(child, 'close'), [0, null])
})
