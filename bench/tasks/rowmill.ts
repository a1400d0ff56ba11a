/** `rowmill.ts CATALOG_URL QUEUE_URL TASKS`: Rowmill's catalog and queue alone, with tasks that need no child. */
import { openCatalog } from '../../src/catalog/open.ts'
import { newId } from '../../src/ids.ts'
import { createLog } from '../../src/log.ts'
import { openQueue } from '../../src/queue/open.ts'
import { taskOf } from '../../test/contracts/catalog-samples.ts'
import { race, type System } from './race.ts'

const [catalogUrl = '', queueUrl = ''] = process.argv.slice(2)
const log = createLog('error')
const leaseMs = 30_000
const nothing = {
  state: 'succeeded',
  balances: { inputs: {}, outputs: {} },
  warnings: [],
  outputs: [],
  rejects: null,
} as const

async function open(): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const catalog = stack.use(await openCatalog(catalogUrl, { log }))
  const queue = stack.use(await openQueue(queueUrl, catalog, { pollMs: 5_000, log }))
  const names = new Map<string, string>()
  const running = stack.move()
  return {
    async submit(name) {
      const id = newId()
      names.set(id, name)
      await catalog.createTask(taskOf([], { id, pipeline: 'nothing', pipelineText: 'about: Nothing.\n', params: {} }))
      await queue.ring(id)
    },
    async work(hands, told) {
      for (let hand = 0; hand < hands; hand++) {
        queue.answer(async (id) => {
          const task = await catalog.claim(id, leaseMs)
          if (task === undefined) return undefined
          const name = names.get(id) ?? ''
          told.begun(name)
          return async () => {
            await catalog.finish(id, task.attempt, nothing)
            told.ended(name)
          }
        })
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

await race(open)
