/** `bullmq.ts PORT TASKS`: on a Redis that writes down each command before it answers. */
import { Queue, Worker } from 'bullmq'
import { race, type System } from '../race.ts'

const [port = ''] = process.argv.slice(2)
const connection = { host: '127.0.0.1', port: Number(port) }

async function open(): Promise<System> {
  const queue = new Queue<{ task: string }>('nothing', { connection })
  let worker: Worker<{ task: string }> | undefined
  return {
    async submit(task) {
      await queue.add('nothing', { task })
    },
    async work(hands, told) {
      worker = new Worker('nothing', async ({ data }) => told.begun(data.task), { connection, concurrency: hands })
      worker.on('completed', ({ data }) => told.ended(data.task))
      await worker.waitUntilReady()
    },
    async [Symbol.asyncDispose]() {
      await worker?.close()
      await queue.close()
    },
  }
}

await race(open)
