/** Messages of somebody else, on real brokers. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../test/harness.ts'
import { startProxy } from '../../test/proxy.ts'
import { openRawQueue } from '../../test/rabbitmq-fixture.ts'
import { freshQueue, missing } from '../../test/servers.ts'
import { type SqsServer, startSqs } from '../../test/sqs-fixture.ts'
import { createLog } from '../log.ts'
import type { Handle } from '../ports.ts'
import { openConsumer } from './consume.ts'

const setting = 'ROWMILL_BUCKET_EVENTS'
const options = { setting, hands: 2, holdMs: 1_000, log: createLog('silent') }
const timeout = 60_000

/** Says what it hears; what is to be given back comes again, and is done then. */
function listener() {
  const heard: string[] = []
  const handle: Handle = async (message) => {
    heard.push(message)
    if (message.startsWith('bad')) return 'unreadable'
    return message.startsWith('later') && heard.filter((one) => one === message).length === 1 ? 'later' : 'done'
  }
  return { heard, handle }
}

const all = ['one', 'two', 'bad', '{"a":1}', 'later'] as const
const expected = [...all, 'later'].toSorted()

suite('messages on RabbitMQ', { skip: missing('rabbitmq') }, () => {
  for (const kind of ['quorum', 'classic'] as const) {
    test(`are seen to, given back and buried, in a ${kind} queue`, { timeout }, async () => {
      await using raw = await openRawQueue()
      await raw.channel.queueDeclare({ queue: raw.name, durable: true, arguments: { 'x-queue-type': kind } })
      for (const message of all) await raw.send(message)
      const { heard, handle } = listener()
      const consumer = await openConsumer(raw.url, handle, options)
      await until('all are heard', () => heard.length >= expected.length)
      await consumer.ping()
      assert.equal(await until('one is buried', () => raw.take(`${raw.name}.dead`)), 'bad')
      await consumer[Symbol.asyncDispose]()
      assert.deepEqual(heard.toSorted(), expected)
      assert.equal(await raw.take(raw.name), undefined)
      assert.equal(await raw.take(`${raw.name}.dead`), undefined)
    })
  }

  test('come again when the connection breaks, or who sees to them stops', { timeout }, async () => {
    await using raw = await openRawQueue()
    await raw.channel.queueDeclare({ queue: raw.name, durable: true })
    const { hostname, port } = new URL(raw.url)
    await using proxy = await startProxy({ host: hostname, port: Number(port) })
    const url = new URL(raw.url)
    url.port = String(proxy.port)
    const heard: string[] = []
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const slow: Handle = async (message, stop) => {
      heard.push(message)
      if (heard.length === 1) await go
      else if (message === 'for ever') await new Promise((end) => stop.addEventListener('abort', end))
      return stop.aborted ? 'later' : 'done'
    }
    const consumer = await openConsumer(url.href, slow, options)
    await raw.send('once more')
    await until('it is heard', () => heard.length === 1)
    proxy.set('reset')
    await until('it is known', () =>
      consumer.ping().then(
        () => false,
        ({ code }) => code === 'unavailable',
      ),
    )
    proxy.set('pass')
    await until('it comes again', () => heard.length === 2)
    goOn()
    await raw.send('for ever')
    await until('the next one is heard', () => heard.length === 3)
    await consumer[Symbol.asyncDispose]()
    assert.deepEqual(heard, ['once more', 'once more', 'for ever'])
    assert.equal(await raw.take(raw.name), 'for ever')
    assert.equal(await raw.take(raw.name), undefined)
  })

  test('cannot come from what is no queue of theirs, and one sentence says why', { timeout }, async () => {
    const url = await freshQueue()
    const handle = listener().handle
    const wrong = async (change: (url: URL) => void, code: string, message: RegExp) => {
      const other = new URL(url)
      change(other)
      await assert.rejects(openConsumer(other.href, handle, options), { code, message })
    }
    await wrong(() => {}, 'invalid', /^ROWMILL_BUCKET_EVENTS: there is no such queue; make it/)
    await wrong(
      (other) => (other.password = 'hunter2'),
      'invalid',
      /^ROWMILL_BUCKET_EVENTS: the broker refuses the login/,
    )
    await wrong((other) => (other.port = '9'), 'unavailable', /^ROWMILL_BUCKET_EVENTS: the broker cannot be reached/)
    await wrong((other) => (other.search = ''), 'invalid', /^ROWMILL_BUCKET_EVENTS is not the URL of a queue/)
    await assert.rejects(openConsumer('redis://h', handle, options), {
      code: 'invalid',
      message: /ROWMILL_BUCKET_EVENTS/,
    })
  })
})

suite('messages on SQS', () => {
  let server: SqsServer
  before(async () => {
    server = await startSqs()
  })
  after(() => server[Symbol.asyncDispose]())

  test('are seen to, given back and buried', { timeout }, async () => {
    const url = server.freshQueue()
    await server.make(url, 600)
    for (const message of all) await server.send(url, message)
    const { heard, handle } = listener()
    const consumer = await openConsumer(url, handle, options)
    await until('all are heard', () => heard.length >= expected.length)
    await consumer.ping()
    assert.equal(await until('one is buried', () => server.takeDead(url)), 'bad')
    await consumer[Symbol.asyncDispose]()
    assert.deepEqual(heard.toSorted(), expected)
  })

  test('are kept back as long as they are seen to, and come again when that has stopped', { timeout }, async () => {
    const url = server.freshQueue()
    await server.make(url, 600)
    await server.send(url, 'long')
    await server.send(url, 'next')
    const heard: string[] = []
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>()
    const handle: Handle = async (message, stop) => {
      heard.push(message)
      if (message === 'next') await new Promise((end) => stop.addEventListener('abort', end))
      // Longer than either is kept back for at once.
      else await sleep(2.5 * options.holdMs)
      if (message === 'next') return 'later'
      done()
      return 'done'
    }
    const consumer = await openConsumer(url, handle, options)
    await isDone
    await consumer[Symbol.asyncDispose]()
    assert.deepEqual(heard.toSorted(), ['long', 'next'])
    const { heard: later, handle: take } = listener()
    await using _ = await openConsumer(url, take, options)
    await until('it comes again', () => later.length > 0)
    assert.deepEqual(later, ['next'])
  })

  test('cannot come from what is no queue of theirs, and one sentence says why', { timeout }, async () => {
    const handle = listener().handle
    const cases = [
      [server.freshQueue(), 'invalid', /^ROWMILL_BUCKET_EVENTS: there is no such queue; make it/],
      ['sqs://eu-west-1/name.fifo', 'invalid', /^ROWMILL_BUCKET_EVENTS is not the URL of a queue/],
      [
        'sqs://k:s@eu-west-1/n?endpoint=http://127.0.0.1:9',
        'unavailable',
        /^ROWMILL_BUCKET_EVENTS: SQS cannot be reached/,
      ],
    ] as const
    for (const [url, code, message] of cases) {
      await assert.rejects(openConsumer(url, handle, options), { code, message })
    }
  })
})
