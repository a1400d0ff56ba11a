import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../test/harness.ts'
import { assertDoneOnce, collector, makeCatalog, oneEffect, sayer, testQueue } from '../../test/contracts/queue.ts'
import { openRawQueue } from '../../test/rabbitmq-fixture.ts'
import { freshQueue, missing, startServer } from '../../test/servers.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { openAmqpQueue } from './amqp.ts'
import { openQueue } from './open.ts'

const log = createLog('silent')
const options = { pollMs: 10, log }
/** A bell that is lost would be waited for for ever. */
const timeout = 60_000
/** Milliseconds that the broker of the tests lets a message be unacknowledged, and how often it looks. */
const patience = { timeout: 2_000, tick: 500 }

const open = async () => openAmqpQueue(await freshQueue(), options)

suite('the queue on RabbitMQ', { skip: missing('rabbitmq') }, () => {
  testQueue('amqp', open)

  test('what is no bell goes to the dead letters, and nothing else does', { timeout }, async () => {
    await using raw = await openRawQueue()
    await using queue = await openAmqpQueue(raw.url, options)
    const garbage = ['', 'hello', '"x"', 'null', '{}', '{"task":7}', '{"task":"../../etc/passwd"}', '{"task":"']
    const bells = [newId(), newId()]
    for (const message of garbage) await raw.send(message)
    await queue.ring(bells[0] ?? '')
    // From a version that says more.
    await raw.send(JSON.stringify({ task: bells[1], since: 'tomorrow' }))
    const heard = collector()
    await using _ = queue.answer(async (task) => {
      heard.say(task)
      throw new Error('the database is away')
    })
    await heard.until(2)
    assert.deepEqual(heard.said.toSorted(), bells.toSorted())
    const dead: string[] = []
    await until('all is there', async () => {
      const message = await raw.take(`${raw.name}.dead`)
      if (message !== undefined) dead.push(message)
      return dead.length === garbage.length
    })
    assert.deepEqual(dead.toSorted(), garbage.toSorted())
    assert.equal(await queue.waiting(), 0)
  })

  test('a hand at long work leaves the bells to another connection', { timeout }, async () => {
    const url = await freshQueue()
    await using one = await openAmqpQueue(url, options)
    await using other = await openAmqpQueue(url, options)
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const { promise: isBusy, resolve: begin } = Promise.withResolvers<void>()
    one.answer(async () => async () => {
      begin()
      await go
    })
    await one.ring(newId())
    await isBusy
    const tasks = [newId(), newId(), newId()]
    for (const task of tasks) await one.ring(task)
    const heard = collector()
    other.answer(sayer(heard))
    await heard.until(3)
    assert.deepEqual(heard.said, tasks)
    goOn()
  })

  test('work longer than the broker’s patience runs once, and nothing is disturbed', { timeout }, async () => {
    await using raw = await openRawQueue()
    const told: unknown[] = []
    const loud = { ...options, log: { ...log, warn: (...what: unknown[]) => told.push(what) } as typeof log }
    await using queue = await openAmqpQueue(raw.url, loud)
    const heard = collector()
    const [long, next] = [newId(), newId()]
    await using _ = queue.answer(async (task) => async () => {
      heard.say(task)
      if (task === long) await sleep(patience.timeout + 4 * patience.tick)
    })
    await queue.ring(long)
    await queue.ring(next)
    // One who keeps a message loses his channel meanwhile: so patient the broker is not.
    await raw.send('{}')
    const closed = new Promise<void>((resolve) => raw.channel.once('close', resolve))
    await raw.channel.basicConsume({ queue: `${raw.name}.dead` }, () => {})
    await closed
    await heard.until(2)
    assert.deepEqual(heard.said, [long, next])
    assert.deepEqual(told, [['a message that is no bell goes to the dead letters']])
  })

  test('a queue that is deleted is made again, by who rings and by who answers', { timeout }, async () => {
    await using raw = await openRawQueue()
    await using queue = await openAmqpQueue(raw.url, { ...options, idleMs: 500 })
    const tasks = [newId(), newId(), newId()]
    await raw.channel.queueDelete({ queue: raw.name })
    await queue.ring(tasks[0] ?? '')
    const heard = collector()
    await using _ = queue.answer(sayer(heard))
    await heard.until(1)
    await raw.channel.queueDelete({ queue: raw.name })
    await queue.ring(tasks[1] ?? '')
    await heard.until(2)
    await raw.channel.queueDelete({ queue: raw.name })
    await until('it is there again', () => queue.ping().then(() => true))
    await queue.ring(tasks[2] ?? '')
    await heard.until(3)
    assert.deepEqual(heard.said, tasks)
  })

  test('a broker that is killed or hangs loses no bell that it confirmed, and all goes on when it is back', {
    timeout: 110_000,
  }, async () => {
    await using server = await startServer('rabbitmq')
    await using made = await makeCatalog(6)
    const { catalog, tasks } = made
    const [first = '', ...rest] = tasks
    // RabbitMQ 3.10 forgets a quorum queue that it had for less than three minutes, unless it is ended in good order once.
    await (await openAmqpQueue(server.url, options))[Symbol.asyncDispose]()
    await server.end()
    await server.start()

    await using queue = await openAmqpQueue(server.url, options)
    await using elsewhere = await openAmqpQueue(server.url, options)
    const heard = collector()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const { promise: isBusy, resolve: begin } = Promise.withResolvers<void>()
    const effect = oneEffect(catalog, heard)
    await using _ = elsewhere.answer(async (task) => {
      const work = await effect(task)
      return async () => {
        begin()
        await go
        await work?.()
      }
    })
    // A broker that has just come up may be slow to confirm.
    await until('the bell is confirmed', () => isTaken(queue.ring(first)))
    await isBusy
    for (const task of rest) await until('the bell is confirmed', () => isTaken(queue.ring(task)))
    await server.kill()
    await until('it is known', () => isAway(queue.ping()))
    await isAway(queue.ring(first))
    await isAway(queue.waiting())
    // Who has a task goes on with it.
    goOn()
    await heard.until(1)
    await server.start()
    await heard.until(6)
    await until('rings are taken again', () => isTaken(queue.ring(first)))
    assert.deepEqual(heard.said.toSorted(), tasks.toSorted())
    await assertDoneOnce(catalog, 6)

    // One that hangs lets nobody wait for long, nor for ever.
    server.freeze()
    for (let times = 0; times < 3; times++) await isAway(queue.ring(first))
    server.thaw()
    await until('it answers again', () => isTaken(queue.ring(first)))
  })
})

suite('at the start, one sentence says what is wrong with ROWMILL_QUEUE_URL', () => {
  for (const url of [
    'amqp://',
    'amqp:rowmill',
    'amqp://h:x/',
    'amqp://u:%zz@h',
    'amqp://h/?queue=',
    'amqp://h/?qeue=rowmill',
  ]) {
    test(url, () => isRefused(openAmqpQueue(url, options), 'invalid', /^ROWMILL_QUEUE_URL is not the URL of a queue/))
  }

  test('nobody there', () =>
    isRefused(
      openAmqpQueue('amqp://app:hunter2@127.0.0.1:9', options),
      'unavailable',
      /^ROWMILL_QUEUE_URL: the broker cannot be reached \(ECONNREFUSED\); look whether it runs, and at host and port\.$/,
    ))

  test('no broker', { timeout }, async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    for (const scheme of ['amqp', 'amqps']) {
      const told = scheme === 'amqp' ? /no AMQP broker/ : /does not speak TLS/
      await isRefused(openAmqpQueue(`${scheme}://app:hunter2@127.0.0.1:${port}`, options), undefined, told)
    }
    server.close()
  })

  test('what the broker refuses', { timeout, skip: missing('rabbitmq') }, async () => {
    await using raw = await openRawQueue()
    const refused = async (change: (url: URL) => void, told: RegExp) => {
      const url = new URL(raw.url)
      change(url)
      await isRefused(openAmqpQueue(url.href, options), 'invalid', told)
    }
    await refused((url) => (url.password = 'hunter2'), /refuses the login; correct user and password\.$/)
    await refused((url) => (url.pathname = 'elsewhere'), /there is no such virtual host/)
    await raw.channel.queueDeclare({ queue: raw.name, durable: true })
    await refused(() => {}, /has a queue of that name, or NAME\.dead, that was made in another way/)
  })

  test('and which kinds there are', async () => {
    const catalog = { dueTasks: async () => [] }
    for (const url of ['redis://h', 'rowmill', '']) {
      await isRefused(
        openQueue(url, catalog, options),
        'invalid',
        /^ROWMILL_QUEUE_URL names no kind of queue that there is/,
      )
    }
    for (const url of [undefined, 'local']) await (await openQueue(url, catalog, options))[Symbol.asyncDispose]()
    await isRefused(openQueue('amqp://h?x', catalog, options), 'invalid', /amqp:\/\/USER/)
    await isRefused(openQueue('sqs://h?x', catalog, options), 'invalid', /sqs:\/\/REGION/)
  })
})

async function isRefused(asked: Promise<unknown>, code: ErrorCode | undefined, told: RegExp): Promise<void> {
  const error = await asked.then(
    () => assert.fail('it has worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AppError, String(error))
  assert.match(error.message, told)
  if (code !== undefined) assert.equal(error.code, code)
  assert.doesNotMatch(error.message, /hunter2/)
}

function isTaken(rung: Promise<void>): Promise<boolean> {
  return rung.then(
    () => true,
    () => false,
  )
}

/** That it fails, and how. */
async function isAway(asked: Promise<unknown>): Promise<boolean> {
  const error = await asked.then(
    () => assert.fail('it has worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AppError && error.code === 'unavailable', String(error))
  return true
}
