import assert from 'node:assert/strict'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { hold, json, say, serve, until } from '../../test/http-fixture.ts'

test('every refusal is a problem with a code, and no page', async () => {
  await using served = await serve()
  const asJson = { 'content-type': 'application/json' }
  const cases: [string, RequestInit, number, string][] = [
    ['/v1/nothing', {}, 404, 'not_found'],
    ['/v1/nothing', { method: 'POST', body: '{', headers: asJson }, 400, 'invalid'],
    ['/v1/uploads', { method: 'PATCH' }, 405, 'method_not_allowed'],
    ['/v1/tasks/status', { method: 'POST' }, 405, 'method_not_allowed'],
    ['/docs/static/x', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['/v1/tasks', { method: 'POST', body: '{', headers: asJson }, 400, 'invalid'],
    ['/v1/tasks', { method: 'POST', headers: asJson }, 422, 'unprocessable'],
    ['/v1/tasks', { method: 'POST', body: '{"__proto__":{}}', headers: asJson }, 400, 'invalid'],
    ['/v1/tasks', { method: 'POST', body: '{}', headers: asJson }, 422, 'unprocessable'],
    ['/v1/tasks', { method: 'POST', body: '{}' }, 415, 'unsupported'],
    ['/v1/tasks', { method: 'POST', body: ' '.repeat(2e6), headers: asJson }, 413, 'too_large'],
    ['/v1/tasks?limit=0', {}, 400, 'invalid'],
    ['/v1/tasks?limit=x', {}, 400, 'invalid'],
    ['/v1/tasks?stat=queued', {}, 400, 'invalid'],
    ['/v1/tasks?before=x', {}, 400, 'invalid'],
    ['/v1/tasks/x', {}, 404, 'not_found'],
    ['/v1/tasks/..%2f..%2fetc', {}, 404, 'not_found'],
    ['/v1/tasks/%zz', {}, 400, 'invalid'],
    [`/v1/tasks/${'x'.repeat(5000)}`, {}, 400, 'invalid'],
    ['/v1/uploads/%00', { method: 'DELETE' }, 404, 'not_found'],
    ['/v1/pipelines/song-play', {}, 404, 'not_found'],
  ]
  for (const [path, init, status, code] of cases) {
    const response = await fetch(served.url + path, init)
    const problem = await json(response)
    const told = [response.status, response.headers.get('content-type'), response.headers.get('x-content-type-options')]
    assert.deepEqual(told, [status, 'application/problem+json; charset=utf-8', 'nosniff'], path)
    assert.deepEqual([problem['type'], problem['status'], problem['code']], ['about:blank', status, code], path)
  }
  const refused = await fetch(`${served.url}/v1/tasks/x/cancel`, { method: 'DELETE' })
  assert.equal(refused.headers.get('allow'), 'POST')
})

test('what is no HTTP is answered with a problem, too', async () => {
  await using served = await serve()
  const hostless = 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n'
  for (const bytes of [
    'no http\r\n\r\n',
    hostless,
    `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
  ]) {
    assert.match(
      await say(served.port, bytes),
      /^HTTP\/1\.1 400 Bad Request\r\n[^]*application\/problem\+json[^]*"invalid"/,
    )
  }
})

const failing = (ingest: Ingest): Ingest => ({
  ...ingest,
  tasks: {
    ...ingest.tasks,
    list: async () => {
      throw new Error('secret: /srv/rowmill/catalog.db')
    },
  },
})

test('a fault of ours is told as one, and nothing about it', async () => {
  await using served = await serve({ wrap: failing })
  const response = await fetch(`${served.url}/v1/tasks`)
  assert.equal(response.status, 500)
  assert.deepEqual(await json(response), {
    type: 'about:blank',
    title: 'Internal Server Error',
    status: 500,
    detail: 'Internal error',
    code: 'internal',
  })
})

test('it is ready when every check is well; else 503 names what is not, and when to ask again', async () => {
  let well = true
  const checks = [
    { name: 'catalog', check: async () => {} },
    {
      name: 'disk',
      check: async () => {
        if (!well) throw new AppError('full', 'Only 3 bytes are left.')
      },
    },
  ]
  await using served = await serve({ checks })
  assert.deepEqual(await json(await fetch(`${served.url}/readyz`)), { status: 'ok', checks: ['catalog', 'disk'] })
  well = false
  const response = await fetch(`${served.url}/readyz`)
  const problem = await json(response)
  assert.deepEqual([response.status, response.headers.get('retry-after'), problem['code']], [503, '5', 'unavailable'])
  assert.deepEqual(problem['details'], { failed: [{ name: 'disk', message: 'Only 3 bytes are left.' }] })
  assert.equal((await fetch(`${served.url}/livez`)).status, 200)
})

test('only loopback names are served, and no page of another site changes anything', async () => {
  await using served = await serve()
  const status = (headers: Record<string, string>, method = 'POST') =>
    new Promise<number | undefined>((resolve, reject) => {
      request(`${served.url}/v1/uploads`, { method, headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
  for (const host of ['localhost', 'LOCALHOST:5000', '127.0.0.1:1', '[::1]:5000']) {
    assert.equal(await status({ host }), 201, host)
    assert.equal(await status({ origin: `http://${host}` }), 201, host)
  }
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example:5000',
    'localhost@evil',
    '10.0.0.1',
  ]) {
    assert.equal(await status({ host }), 400, host)
    assert.equal(await status({ host }, 'GET'), 400, host)
    assert.equal(await status({ origin: `http://${host}` }), 400, host)
    assert.equal(await status({ origin: `http://${host}` }, 'GET'), 200, host)
  }
  assert.equal(await status({ origin: 'null' }), 400)
})

test('the docs page and all that it loads come from here', async () => {
  await using served = await serve()
  const page = await fetch(`${served.url}/docs`)
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'self';/)
  const loaded = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '')
  assert.ok(loaded.length > 3)
  for (const url of loaded) {
    assert.match(url, /^\/docs\//)
    assert.equal((await fetch(served.url + url)).status, 200, url)
  }
  const document = await json(await fetch(`${served.url}/openapi.json`))
  assert.equal(document['openapi'], '3.1.0')
})

test('a body that stops coming is answered with 408, and so are headers; who is worked for is waited for', async () => {
  await using served = await serve({ timeouts: { idle: 300, headers: 300 } })
  const head = 'POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n'
  for (const bytes of [head, `${head}\r\nSong,Date`]) {
    const socket = await hold(served.port, bytes)
    assert.match(await text(socket), /^HTTP\/1\.1 408 /)
  }
  const query = '?pipeline=song-plays&wait=1'
  const waiting = await fetch(`${served.url}/v1/uploads${query}`, { method: 'POST', body: 'Song,Date\n' })
  assert.equal(waiting.status, 202)
  // Nothing is left of what did not come.
  await until(async () => (await served.catalog.listUploads('local', { limit: 9 })).length === 1)
})
