import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { temporaryFolder } from '../../../test/harness.ts'
import { freshBucket, missing, type TestBucket } from '../../../test/servers.ts'
import { newId } from '../../ids.ts'
import { usualTuning } from './client.ts'
import { openS3Blobs } from './store.ts'

/** The least that S3 takes. */
const tuning = { partBytes: 5 << 20 }

/** As much as one has time for, through a service: `node test/s3-long.ts`. */
suite('much, on a real S3 store', { skip: missing('radosgw') }, () => {
  let bucket: TestBucket
  before(async () => {
    bucket = await freshBucket()
  })
  after(() => bucket[Symbol.asyncDispose]())

  const place = () => bucket.url.replace('?', `/${newId()}?`)
  const uploads = async () =>
    (await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }))).Uploads

  test('a put of several parts that fails on the way leaves no upload', async () => {
    const blobs = await openS3Blobs(place(), { tuning })
    const gone = new Error('the client went away')
    async function* breaking() {
      for (let n = 0; n < 4; n++) yield Buffer.alloc(4 << 20)
      assert.equal((await uploads())?.length, 1)
      throw gone
    }
    await assert.rejects(blobs.put('a/1', breaking()), (error) => error === gone)
    assert.deepEqual((await uploads()) ?? [], [])
    assert.deepEqual(await blobs.list(''), [])
  })

  test('what a dead process has begun is cleared away, but not while something comes', async () => {
    const url = place()
    const blobs = await openS3Blobs(url, { tuning })
    const Key = `${new URL(url).pathname.slice(1)}/a/1`
    const object = { Bucket: bucket.name, Key }
    const { UploadId } = await bucket.client.send(new CreateMultipartUploadCommand(object))
    await bucket.client.send(new UploadPartCommand({ ...object, UploadId, PartNumber: 1, Body: 'x' }))
    const elsewhere = { Bucket: bucket.name, Key: 'of/others' }
    await bucket.client.send(new CreateMultipartUploadCommand(elsewhere))
    assert.equal(await blobs.abandon(60_000), 0)
    assert.equal((await uploads())?.length, 2)
    // Nothing has come since a minute that is still to be.
    assert.equal(await blobs.abandon(-60_000), 1)
    assert.deepEqual(
      (await uploads())?.map((one) => one.Key),
      ['of/others'],
    )
    assert.equal(await (await openS3Blobs(bucket.url)).abandon(-60_000), 1)
  })

  test('more keys than an answer holds are listed and deleted, and those of others left alone', async () => {
    const url = place()
    const blobs = await openS3Blobs(url)
    const base = `${new URL(url).pathname.slice(1)}/`
    const keys = Array.from({ length: 1_050 }, (_, n) => `many/${n}`).toSorted()
    const make = async (key: string) => {
      await bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key: base + key, Body: '0' }))
    }
    for (let at = 0; at < keys.length; at += 50) await Promise.all(keys.slice(at, at + 50).map(make))
    // As consoles make folders.
    await make('many/folder/')
    await make('manyfold')
    assert.deepEqual(await blobs.list('many'), keys)
    await blobs.delete('many')
    assert.deepEqual(await blobs.list(''), ['manyfold'])
  })

  test('memory stays flat however long the stream', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openS3Blobs(place())
    const block = Buffer.alloc(1 << 20, 'abcdefg\n')
    const blocks = 300
    let most = 0
    const look = () => (most = Math.max(most, process.memoryUsage().arrayBuffers))
    async function* long() {
      for (let n = 0; n < blocks; n++) {
        look()
        block.writeUInt32LE(n)
        yield block
      }
    }
    const held = process.memoryUsage().arrayBuffers
    assert.equal((await blobs.put('a/1', long())).bytes, blocks << 20)
    // Without waiting for the collector: the next put needs as much again.
    const left = process.memoryUsage().arrayBuffers - held
    assert.ok(left < usualTuning.partBytes, `${left} bytes of buffers are left`)
    const path = folder.at('fetched')
    const watch = setInterval(look, 10)
    await blobs.fetch(['a/1'], path, new AbortController().signal)
    clearInterval(watch)
    const fetched = await readFile(path)
    assert.equal(fetched.length, blocks << 20)
    for (let n = 0; n < blocks; n++) assert.equal(fetched.readUInt32LE(n << 20), n)
    // Parts, and what the collector has not come to yet.
    assert.ok(most < 128 << 20, `${most} bytes of buffers`)
  })
})
