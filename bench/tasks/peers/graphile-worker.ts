/** `graphile-worker.ts POSTGRES_URL TASKS` */
import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import { race, type System } from '../race.ts'

const [connectionString = ''] = process.argv.slice(2)
const logger = new Logger(() => () => {})

async function open(): Promise<System> {
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  await using stack = new AsyncDisposableStack()
  stack.defer(() => utils.release())
  const running = stack.move()
  return {
    async submit(task) {
      await utils.addJob('nothing', { task })
    },
    async work(hands, told) {
      const runner = await run({
        connectionString,
        logger,
        concurrency: hands,
        noHandleSignals: true,
        taskList: { nothing: async (payload) => told.begun((payload as { task: string }).task) },
      })
      runner.events.on('job:complete', ({ job }) => told.ended((job.payload as { task: string }).task))
      running.defer(() => runner.stop())
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

await race(open)
