/** A bucket as a door of the real service: notifications arrive by a broker, objects come in. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { TaskAnswer, UploadAnswer } from '../../src/cli/client.ts'
import { type DropBucket, eventOf, openDropBucket } from '../bucket-fixture.ts'
import { type Folder, json, output, type Service, startService, taskEnds, temporaryFolder, until } from '../harness.ts'
import { type Proxy, startProxy } from '../proxy.ts'
import { openRawQueue, type RawQueue } from '../rabbitmq-fixture.ts'
import { missing } from '../servers.ts'
import { startSqs } from '../sqs-fixture.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\nUmbrella,2020-01-02,50\n'
const totals = 'Song,Date,Total Number of Plays for Date\nUmbrella,2020-01-02,250\n'
const timeout = 60_000

suite('the bucket', { skip: missing('radosgw') || missing('rabbitmq') }, () => {
  let folder: Folder
  let bucket: DropBucket
  let queue: RawQueue
  let store: Proxy
  before(async () => {
    folder = await temporaryFolder()
    bucket = await openDropBucket()
    queue = await openRawQueue()
    await queue.channel.queueDeclare({ queue: queue.name, durable: true })
    const { hostname, port } = new URL(new URL(bucket.url).searchParams.get('endpoint') ?? '')
    store = await startProxy({ host: hostname, port: Number(port) })
  })
  after(async () => {
    await store[Symbol.asyncDispose]()
    await queue[Symbol.asyncDispose]()
    await bucket[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const begin = (env: Record<string, string>) => startService({ data: folder.at('data'), env })
  const tasksOf = async ({ url }: Service, count: number) =>
    await until(`there are ${count} tasks`, async () => {
      const { tasks } = await json<{ tasks: TaskAnswer[] }>(await fetch(`${url}/v1/tasks`))
      return tasks.length === count ? tasks : undefined
    })

  test('is taken in by RabbitMQ’s word, once, also when the service is killed amid a copy', { timeout }, async () => {
    const url = bucket.url.replace(/endpoint=.*/, `endpoint=http://127.0.0.1:${store.port}`)
    const env = { ROWMILL_BUCKET_URL: url, ROWMILL_BUCKET_EVENTS: queue.url }
    const first = await bucket.drop('song-plays/plays.csv', plays)
    const large = await bucket.drop('song-plays/large.csv', `${plays}${'Halo,2020-01-01,1\n'.repeat(600_000)}`)
    {
      await using service = await begin(env)
      await queue.send('{"Service":"Amazon S3","Event":"s3:TestEvent"}')
      await queue.send('hello')
      await queue.send(eventOf(bucket, first))
      const [task] = await tasksOf(service, 1)
      assert.ok(task)
      assert.equal(await output(service, await taskEnds(service, task), 'totals'), totals)
      assert.equal(await until('it is buried', () => queue.take(`${queue.name}.dead`)), 'hello')
      const { checks } = await json<{ checks: string[] }>(await fetch(`${service.url}/readyz`))
      assert.deepEqual(checks, ['catalog', 'blobs', 'queue', 'bucket', 'events'])
      // The answer stops in its middle.
      store.set({ cut: 1 << 20 })
      await queue.send(eventOf(bucket, first, large))
      await until('it is on its way', async () => {
        const { uploads } = await json<{ uploads: UploadAnswer[] }>(await fetch(`${service.url}/v1/uploads`))
        return uploads.some(({ name, state }) => name === 'large.csv' && state === 'open')
      })
      await service.kill()
    }
    store.set('pass')
    // Without a worker, whose end would be waited for.
    await using service = await begin({ ...env, ROWMILL_ROLES: 'upload,tasks' })
    const tasks = await tasksOf(service, 2)
    assert.deepEqual(
      tasks.map(({ inputs }) => inputs[0]?.name),
      ['large.csv', 'plays.csv'],
    )
    await until('nothing is left in the queue', async () => {
      const { messageCount } = await queue.channel.queueDeclare({ queue: queue.name, passive: true })
      return messageCount === 0
    })
    assert.equal(await service.stop(), 0)
    assert.equal(await queue.take(queue.name), undefined)
  })

  test('is taken in by the word of SQS, as the setting says', { timeout }, async () => {
    await using sqs = await startSqs()
    const events = sqs.freshQueue()
    await sqs.make(events, 600)
    const run = 'load?table=people'
    const env = { ROWMILL_BUCKET_URL: bucket.url, ROWMILL_BUCKET_EVENTS: events, ROWMILL_BUCKET_RUN: run }
    await using own = await temporaryFolder()
    await using service = await startService({ data: own.at('data'), env })
    const object = await bucket.drop('anywhere/my people+.csv', 'id,name\n1,a\n')
    const gone = await bucket.drop('gone.csv', 'id,name\n2,b\n')
    await bucket.remove(gone.key)
    const told = eventOf(bucket, object, gone)
    await sqs.send(events, JSON.stringify({ Type: 'Notification', Message: told }))
    const tasks = await tasksOf(service, 2)
    const ended = await Promise.all(tasks.map((task) => taskEnds(service, task)))
    assert.deepEqual(
      ended.map(({ state, inputs, error }) => [state, inputs[0]?.name, error?.code]),
      [
        ['failed', undefined, 'not_found'],
        ['succeeded', 'anywhere/my people+.csv', undefined],
      ],
    )
  })
})
