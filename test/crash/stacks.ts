/** What services stand on in tests of crashes: a catalog, a queue and a store, a table to load into, and who does what. */
import { openQueue } from '../../src/queue/open.ts'
import { createLog } from '../../src/log.ts'
import type { Queue } from '../../src/ports.ts'
import type { Env, Folder } from '../harness.ts'
import { freshBucket, freshDatabase, freshQueue, missing } from '../servers.ts'
import { startSqs } from '../sqs-fixture.ts'
import { databases, type LoadDatabase } from './databases.ts'

export const stackNames = ['embedded', 'amqp-postgres-s3', 'sqs-mariadb-disk'] as const
export type StackName = (typeof stackNames)[number]

export interface Stack extends AsyncDisposable {
  readonly name: StackName
  /** The settings that all its services have in common. */
  readonly env: Env
  /** Where tasks put rows. */
  readonly sink: LoadDatabase
  /** The roles of each of its processes; the first is the one that is talked to. */
  readonly processes: readonly string[]
  /** The data folder of each of them: nothing but the stack is shared, as on another machine. */
  folderOf(process: number): string
  /** Its queue, as one more process has it; undefined where only workers hear. */
  openQueue(): Promise<Queue> | undefined
}

/** Why there can be no such stack here; false when there can. */
export function missingFor(name: StackName): string | false {
  if (name === 'embedded') return false
  if (name === 'sqs-mariadb-disk') return missing('mariadb')
  return missing('postgres') || missing('rabbitmq') || missing('radosgw')
}

export async function openStack(name: StackName, folder: Folder): Promise<Stack> {
  await using stack = new AsyncDisposableStack()
  const sink = stack.use(await openSink(name, folder))
  const opened = await openers[name](folder, stack)
  const running = stack.move()
  return {
    ...opened,
    name,
    env: { ...opened.env, ROWMILL_SINK_WAREHOUSE_URL: sink.url },
    sink,
    folderOf: (process) => folder.at(`data-${process}`),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function openSink(name: StackName, folder: Folder): Promise<LoadDatabase> {
  const kind = { embedded: 'SQLite', 'amqp-postgres-s3': 'PostgreSQL', 'sqs-mariadb-disk': 'MariaDB' }[name]
  const database = databases.find((one) => one.name === kind)
  if (database === undefined) throw new RangeError(`there is no database ${kind}`)
  return await database.open(folder)
}

type Opener = (folder: Folder, stack: AsyncDisposableStack) => Promise<Pick<Stack, 'env' | 'processes' | 'openQueue'>>

const split = ['upload,tasks', 'worker', 'worker,janitor'] as const

function remote(queueUrl: string): Pick<Stack, 'processes' | 'openQueue'> {
  const options = { pollMs: 1_000, log: createLog('silent') }
  // Nobody looks for due tasks by this one.
  const catalog = { dueTasks: async () => [] }
  return { processes: split, openQueue: () => openQueue(queueUrl, catalog, options) }
}

const openers: Readonly<Record<StackName, Opener>> = {
  embedded: async () => ({
    env: {},
    processes: ['upload,tasks,worker,janitor'],
    openQueue: () => undefined,
  }),

  'amqp-postgres-s3': async (_, stack) => {
    const [catalog, bucket] = [stack.use(await freshDatabase('postgres')), stack.use(await freshBucket())]
    const queue = await freshQueue()
    return {
      ...remote(queue),
      env: { ROWMILL_CATALOG_URL: catalog.url, ROWMILL_BLOBS_URL: bucket.url, ROWMILL_QUEUE_URL: queue },
    }
  },

  'sqs-mariadb-disk': async (folder, stack) => {
    const [catalog, sqs] = [stack.use(await freshDatabase('mariadb')), stack.use(await startSqs())]
    const queue = sqs.freshQueue()
    await sqs.make(queue, 2)
    return {
      ...remote(queue),
      env: {
        ROWMILL_CATALOG_URL: catalog.url,
        ROWMILL_QUEUE_URL: queue,
        ROWMILL_BLOBS_URL: `disk:${folder.at('blobs')}`,
      },
    }
  },
}
