/** `pg-boss.ts POSTGRES_URL TASKS`: its least pause between two looks, half a second, is what it has to tell of single tasks. */
import { PgBoss } from 'pg-boss'
import { race, type System } from '../race.ts'

const [url = ''] = process.argv.slice(2)

async function open(): Promise<System> {
  const boss = new PgBoss(url)
  await boss.start()
  await boss.createQueue('nothing')
  return {
    async submit(task) {
      await boss.send('nothing', { task })
    },
    async work(hands, told) {
      // One at a time, each of them would do two in a second.
      const options = { localConcurrency: hands, pollingIntervalSeconds: 0.5, batchSize: 50 }
      await boss.work<{ task: string }>('nothing', options, async (jobs) => {
        for (const { data } of jobs) told.begun(data.task)
        // It tells nobody when the end is written: this is a little sooner.
        setImmediate(() => {
          for (const { data } of jobs) told.ended(data.task)
        })
      })
    },
    [Symbol.asyncDispose]: () => boss.stop(),
  }
}

await race(open)
