/** What goes wrong between us and a store, and at the store. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { temporaryFolder } from '../../../test/harness.ts'
import { type Proxy, startProxy } from '../../../test/proxy.ts'
import { freshBucket, missing, type TestBucket } from '../../../test/servers.ts'
import { AppError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import type { Blobs } from '../../ports.ts'
import { openS3Blobs } from './store.ts'

const tuning = { connectMs: 2_000, idleMs: 500, attempts: 2, partBytes: 5 << 20 }

async function* one(chunk: Buffer) {
  yield chunk
}

const never = new AbortController().signal

suite('a real S3 store', { skip: missing('radosgw') }, () => {
  let bucket: TestBucket
  let proxy: Proxy
  before(async () => {
    bucket = await freshBucket()
    const { hostname, port } = new URL(new URL(bucket.url).searchParams.get('endpoint') ?? '')
    proxy = await startProxy({ host: hostname, port: Number(port) })
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await bucket[Symbol.asyncDispose]()
  })

  const uploads = async () =>
    (await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }))).Uploads

  async function openThere(): Promise<Blobs> {
    proxy.set('pass')
    const url = bucket.url.replace(/\?endpoint=.*/, `/${newId()}?endpoint=http://127.0.0.1:${proxy.port}`)
    return await openS3Blobs(url, { tuning })
  }

  for (const mode of ['reset', 'hold'] as const) {
    test(`that is gone in the middle (${mode}) makes a put unavailable, and nothing of it stays`, async () => {
      const blobs = await openThere()
      async function* source() {
        yield Buffer.alloc(11 << 20)
        proxy.set(mode)
        yield Buffer.alloc(11 << 20)
      }
      await assert.rejects(blobs.put('a/1', source()), { code: 'unavailable', message: /Try again\.$/ })
      await assert.rejects(blobs.ping(), { code: 'unavailable' })
      await assert.rejects(blobs.put('a/2', source()), { code: 'unavailable' })
      proxy.set('pass')
      await blobs.ping()
      assert.deepEqual(await blobs.list(''), [])
      await blobs.abandon(-60_000)
      assert.deepEqual((await uploads()) ?? [], [])
      assert.equal((await blobs.put('a/1', one(Buffer.from('again')))).bytes, 5)
    })
  }

  test('whose answer is lost has stored an object all the same, and that is no conflict', async () => {
    const blobs = await openThere()
    for (const [key, size] of [
      ['small', 100],
      ['large', 11 << 20],
    ] as const) {
      async function* source() {
        yield Buffer.alloc(size, 'x')
        if (key === 'small') proxy.set({ cut: 0, once: true })
      }
      assert.equal((await blobs.put(key, source())).bytes, size)
      assert.equal((await buffer(await blobs.read(key))).length, size)
    }
  })

  test('that cuts every download short is read to the end, or not at all', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openThere()
    const big = Buffer.alloc(9_000_000)
    for (let n = 0; n < big.length; n += 4) big.writeUInt32LE(n, n)
    await blobs.put('a/1', one(big))

    proxy.set({ cut: 2_000_000 })
    const earlier = proxy.connections()
    await blobs.fetch(['a/1'], folder.at('file'), never)
    assert.ok(big.equals(await readFile(folder.at('file'))))
    assert.ok(big.equals(await buffer(await blobs.read('a/1'))))
    assert.ok(proxy.connections() - earlier >= 8, 'it was cut')

    proxy.set({ cut: 1_000 })
    await assert.rejects(blobs.fetch(['a/1'], folder.at('short'), never), { code: 'unavailable' })
    assert.deepEqual(await readdir(folder.path), ['file'])
  })

  test('that falls silent in a download is asked again, and a stop is heard meanwhile', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openThere()
    await blobs.put('a/1', one(Buffer.alloc(9_000_000)))
    const stop = new AbortController()
    const reason = new Error('stopped')
    const stream = await blobs.read('a/1')
    for await (const _ of stream) {
      proxy.set('hold')
      break
    }
    const fetched = blobs.fetch(['a/1'], folder.at('file'), stop.signal)
    setTimeout(() => stop.abort(reason), 100)
    await assert.rejects(fetched, (error) => error === reason)
    await assert.rejects(blobs.fetch(['a/1'], folder.at('file'), never), { code: 'unavailable', message: /not answer/ })
    assert.deepEqual(await readdir(folder.path), [])
  })

  const refused: readonly (readonly [what: string, url: (good: URL) => string, message: RegExp])[] = [
    ['no such bucket', (good) => good.href.replace(bucket.name, 'nowhere'), /no such bucket; make it, or correct/],
    ['an unknown key', (good) => good.href.replace('//app:', '//nobody:'), /access key; correct the user/],
    ['a wrong secret', (good) => good.href.replace(good.password, 'wrong-secret'), /secret key; correct the password/],
    ['TLS where there is none', (good) => good.href.replace('http:', 'https:'), /no S3 store; correct/],
  ]
  for (const [what, url, message] of refused) {
    test(`is not opened with ${what}, and one sentence says so`, async () => {
      await assert.rejects(openS3Blobs(url(new URL(bucket.url)), { tuning }), (error) => {
        assert.ok(error instanceof AppError)
        assert.equal(error.code, 'invalid')
        assert.match(error.message, message)
        assert.match(error.message, /ROWMILL_BLOBS_URL\.$/)
        assert.doesNotMatch(error.message, new RegExp(`wrong-secret|${new URL(bucket.url).password}`))
        return true
      })
    })
  }

  test('is opened even by a clock that is hours off: its own counts', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * 3_600_000 })
    const blobs = await openS3Blobs(bucket.url, { tuning })
    await blobs.put('a/1', one(Buffer.from('x')))
    const url = await blobs.direct?.download('a/1', 60, { name: 'x', type: 'text/csv' })
    assert.equal(await (await fetch(url ?? '')).text(), 'x')
    assert.equal(await blobs.abandon(3_600_000), 0)
  })
})

suite('what is no S3 store', () => {
  /** Something that says the same to everybody. */
  async function saying(answer: string) {
    const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      url: `s3://key:secret@files?endpoint=http://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        server.close()
        await once(server, 'close')
      },
    }
  }
  const page = '<html><body>Hello</body></html>'

  for (const [what, answer] of [
    ['a page', `HTTP/1.1 200 OK\r\ncontent-length: ${page.length}\r\n\r\n${page}`],
    ['a page that is not found', `HTTP/1.1 404 Not Found\r\ncontent-length: ${page.length}\r\n\r\n${page}`],
    ['JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['something else than HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ] as const) {
    test(`is told as such: ${what}`, async () => {
      await using server = await saying(answer)
      const message = 'The store of blobs (S3, bucket files): what answers is no S3 store; correct ROWMILL_BLOBS_URL.'
      await assert.rejects(openS3Blobs(server.url, { tuning }), { code: 'invalid', message })
    })
  }

  test('and a place where nobody listens may be one later', async () => {
    const server = await saying('')
    await server[Symbol.asyncDispose]()
    await assert.rejects(openS3Blobs(server.url, { tuning }), {
      code: 'unavailable',
      message:
        /cannot be reached \(ECONNREFUSED\); look whether it runs, and is where ROWMILL_BLOBS_URL says\. Try again\./,
    })
  })

  test('nor is a server in trouble', async () => {
    await using server = await saying('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\n\r\nx')
    await assert.rejects(openS3Blobs(server.url, { tuning }), {
      code: 'unavailable',
      message: /at present \(status 503\)/,
    })
  })
})
