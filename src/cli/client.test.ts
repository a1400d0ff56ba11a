import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { serve } from '../../test/http-fixture.ts'
import { AppError } from '../errors.ts'
import { answered, createClient } from './client.ts'

const { signal } = new AbortController()

test('what is sent is not kept in memory', async () => {
  await using server = createServer((request, response) => request.resume().on('end', () => response.end('{}')))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = createClient({ URL: undefined, PORT: (server.address() as AddressInfo).port }, signal)
  const [count, bytes] = [400, 1 << 20]
  let most = 0
  async function* body() {
    for (let i = 0; i < count; i++) {
      most = Math.max(most, process.memoryUsage().arrayBuffers)
      yield Buffer.allocUnsafe(bytes)
    }
  }
  await client.send('/', { method: 'PUT', headers: {}, body: body(), bytes: count * bytes })
  assert.ok(most < (count * bytes) / 2, `${most} bytes were held`)
})

test('an error has the status of the answer behind it, also where that has no body', async () => {
  await using served = await serve()
  const client = createClient({ URL: served.url, PORT: 0 }, signal)
  const none = '/v1/uploads/01hzzzzzzzzzzzzzzzzzzzzzzz'
  for (const [method, message] of [
    ['GET', /^There is no upload/],
    ['HEAD', /^Rowmill at \S+ refuses this \(HTTP 404\)\.$/],
  ] as const) {
    await assert.rejects(client.request(none, { method }), (error) => {
      assert.ok(error instanceof AppError)
      assert.match(error.message, message)
      assert.deepEqual([error.code, answered(error)?.status], ['not_found', 404])
      return true
    })
  }
  await served.close()
  await assert.rejects(client.get(none), (error) => answered(error) === undefined)
})

test('what keeps a body from being read is told as it is', async () => {
  await using served = await serve()
  const client = createClient({ URL: served.url, PORT: 0 }, signal)
  const changed = new AppError('invalid', 'a.csv has changed while it was sent.')
  async function* body() {
    yield Buffer.from('a,b\n')
    throw changed
  }
  await assert.rejects(client.send('/v1/uploads', { method: 'POST', headers: {}, body: body(), bytes: 100 }), changed)
})
