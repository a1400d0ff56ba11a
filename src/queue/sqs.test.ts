import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertDoneOnce, collector, makeCatalog, oneEffect, sayer, testQueue } from '../../test/contracts/queue.ts'
import { until } from '../../test/harness.ts'
import { type SqsServer, startSqs } from '../../test/sqs-fixture.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { openSqsQueue } from './sqs.ts'

const options = { pollMs: 10, log: createLog('silent') }
/** A bell that is lost would be waited for for ever. */
const timeout = 60_000

suite('the queue on SQS', () => {
  let server: SqsServer
  before(async () => {
    server = await startSqs()
  })
  after(() => server[Symbol.asyncDispose]())

  testQueue('sqs', () => openSqsQueue(server.freshQueue(), options))

  test('what is no bell goes to the dead letters, and nothing else does', { timeout }, async () => {
    const url = server.freshQueue()
    await using queue = await openSqsQueue(url, options)
    const garbage = ['hello', '"x"', 'null', '{}', '{"task":7}', '{"task":"../../etc/passwd"}', '{"task":"']
    const bell = newId()
    for (const message of garbage) await server.send(url, message)
    await queue.ring(bell)
    const heard = collector()
    queue.answer(async (task) => {
      heard.say(task)
      throw new Error('the database is away')
    })
    await heard.until(1)
    const dead: string[] = []
    await until('all is there', async () => {
      const message = await server.takeDead(url)
      if (message !== undefined) dead.push(message)
      return dead.length === garbage.length
    })
    assert.deepEqual(dead.toSorted(), garbage.toSorted())
    assert.deepEqual(heard.said, [bell])
    assert.equal(await queue.waiting(), 0)
  })

  test('work longer than the visibility time-out runs once', { timeout }, async () => {
    const url = server.freshQueue()
    await server.make(url, 1)
    await using made = await makeCatalog(2)
    const { catalog, tasks } = made
    await using queue = await openSqsQueue(url, options)
    const heard = collector()
    let calls = 0
    const effect = oneEffect(catalog, heard)
    for (const _ of tasks) {
      queue.answer(async (task) => {
        calls++
        const work = await effect(task)
        return async () => {
          await sleep(2_500)
          await work?.()
        }
      })
    }
    for (const task of tasks) await queue.ring(task)
    await heard.until(2)
    assert.equal(calls, 2)
    await assertDoneOnce(catalog, 2)
  })

  test('a queue that is deleted is made again, by who rings and by who answers', { timeout }, async () => {
    const url = server.freshQueue()
    await using queue = await openSqsQueue(url, options)
    await server.remove(url)
    const task = newId()
    await queue.ring(task)
    await server.remove(url)
    const heard = collector()
    queue.answer(sayer(heard))
    await until('it is there again', () => queue.ping().then(() => true))
    await queue.ring(task)
    await heard.until(1)
    assert.deepEqual(heard.said, [task])
  })

  test('one that is gone lets rings fail, and all goes on when it is back', { timeout }, async () => {
    await using broker = await startSqs()
    const url = broker.freshQueue()
    await using queue = await openSqsQueue(url, options)
    const heard = collector()
    queue.answer(sayer(heard))
    await broker[Symbol.asyncDispose]()
    await isRefused(queue.ring(newId()), 'unavailable', /^The queue is away: SQS cannot be reached \(ECONNREFUSED\)/)
    await isRefused(queue.waiting(), 'unavailable', /ROWMILL_QUEUE_URL/)
    await using _ = await startSqs(Number(new URL(new URL(url).searchParams.get('endpoint') ?? '').port))
    const task = newId()
    await queue.ring(task)
    await heard.until(1)
    assert.deepEqual(heard.said, [task])
  })
})

suite('at the start, one sentence says what is wrong with ROWMILL_QUEUE_URL', () => {
  for (const url of [
    'sqs://',
    'sqs://eu-west-1',
    'sqs://eu-west-1/',
    'sqs://eu-west-1/a/b',
    'sqs://eu-west-1/name.fifo',
    'sqs://key@eu-west-1/name',
    'sqs://key:%zz@eu-west-1/name',
    'sqs://eu-west-1/name?endpoint=file:///etc',
    'sqs://eu-west-1/name?enpoint=http://127.0.0.1:1',
    `sqs://eu-west-1/${'n'.repeat(76)}`,
  ]) {
    test(url.slice(0, 60), () =>
      isRefused(openSqsQueue(url, options), 'invalid', /^ROWMILL_QUEUE_URL is not the URL of a queue/),
    )
  }

  test('nobody there', () =>
    isRefused(
      openSqsQueue('sqs://key:hunter2@eu-west-1/name?endpoint=http://127.0.0.1:9', options),
      'unavailable',
      /^ROWMILL_QUEUE_URL: SQS cannot be reached \(ECONNREFUSED\); look at region and endpoint\.$/,
    ))

  const answers: readonly (readonly [status: number, body: string, code: ErrorCode, told: RegExp])[] = [
    [
      403,
      '{"__type":"com.amazon.coral.service#InvalidClientTokenId","message":"bad hunter2"}',
      'invalid',
      /the credentials are refused/,
    ],
    [403, '{"__type":"com.amazon.coral.service#SignatureDoesNotMatch"}', 'invalid', /the credentials are refused/],
    [403, '{"__type":"com.amazon.coral.service#AccessDeniedException"}', 'invalid', /allow sqs:GetQueueUrl/],
    [200, '<html>hello</html>', 'invalid', /what answers there is no SQS/],
    [404, '<html>nothing</html>', 'invalid', /what answers there is no SQS/],
  ]
  for (const [status, body, code, told] of answers) {
    test(`${status} ${body}`, { timeout }, async () => {
      const server = createServer((_, response) => void response.writeHead(status).end(body)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      try {
        await isRefused(
          openSqsQueue(`sqs://key:hunter2@eu-west-1/name?endpoint=http://127.0.0.1:${port}`, options),
          code,
          told,
        )
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })
  }
})

async function isRefused(asked: Promise<unknown>, code: ErrorCode, told: RegExp): Promise<void> {
  const error = await asked.then(
    () => assert.fail('it has worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AppError, String(error))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, told)
  assert.doesNotMatch(error.message, /hunter2/)
}
