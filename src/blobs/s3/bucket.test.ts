/** Objects of somebody else's bucket, as they were told of. */
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { freshBucket, missing, type TestBucket } from '../../../test/servers.ts'
import { createLog } from '../../log.ts'
import type { Bucket } from '../../ports.ts'
import { openS3Bucket } from './bucket.ts'

const log = createLog('silent')
const never = new AbortController().signal

suite('a bucket of somebody else’s', { skip: missing('radosgw') }, () => {
  let there: TestBucket
  let bucket: Bucket
  before(async () => {
    there = await freshBucket()
    bucket = await openS3Bucket(there.url, { log })
  })
  after(() => there[Symbol.asyncDispose]())

  const put = async (Key: string, Body: string, Bucket = there.name) =>
    await there.client.send(new PutObjectCommand({ Bucket, Key, Body }))

  async function read(object: { key: string; version?: string | undefined; etag?: string | undefined }, from = bucket) {
    const { bytes, stream } = await from.open({ version: undefined, etag: undefined, ...object }, never)
    const content = await text(stream)
    assert.equal(bytes, Buffer.byteLength(content))
    return content
  }

  test('gives an object by any key, as long as it is the one that was told of', async () => {
    const key = 'load/ü + 100%/”quoted” & more?.csv'
    const { ETag = '' } = await put(key, 'a,b\n1,2\n')
    assert.equal(await read({ key }), 'a,b\n1,2\n')
    assert.equal(await read({ key, etag: ETag }), 'a,b\n1,2\n')
    assert.equal(await read({ key, etag: ETag.replaceAll('"', '') }), 'a,b\n1,2\n')
    await put(key, 'a,b\n3,4\n')
    await assert.rejects(read({ key, etag: ETag }), { code: 'gone', message: 'The object was written over since.' })
    await there.client.send(new DeleteObjectCommand({ Bucket: there.name, Key: key }))
    for (const etag of [ETag, undefined]) {
      await assert.rejects(read({ key, etag }), { code: 'not_found', message: /gone when it was to be read/ })
    }
  })

  test('gives a version, whatever has come after it', async () => {
    await using versioned = await freshBucket()
    const { client, name } = versioned
    const status = { Bucket: name, VersioningConfiguration: { Status: 'Enabled' } } as const
    await client.send(new PutBucketVersioningCommand(status))
    const from = await openS3Bucket(versioned.url, { log })
    const { VersionId: first = '' } = await put('a.csv', 'one', name)
    const { VersionId: second = '' } = await put('a.csv', 'two', name)
    const { VersionId: marker } = await client.send(new DeleteObjectCommand({ Bucket: name, Key: 'a.csv' }))
    assert.equal(await read({ key: 'a.csv', version: first, etag: 'of somebody else' }, from), 'one')
    await client.send(new DeleteObjectCommand({ Bucket: name, Key: 'a.csv', VersionId: first }))
    await assert.rejects(read({ key: 'a.csv', version: first }, from), { code: 'not_found' })
    for (const VersionId of [second, marker]) {
      await client.send(new DeleteObjectCommand({ Bucket: name, Key: 'a.csv', VersionId }))
    }
  })

  test('that cannot be used says so by its own setting', async () => {
    const cases = [
      [there.url.replace('@app-', '@not-'), 'invalid', /no such bucket; make it, or correct ROWMILL_BUCKET_URL\.$/],
      [there.url.replace(/:[^:@]*@/, ':wrong@'), 'invalid', /correct the password in ROWMILL_BUCKET_URL\.$/],
      ['s3://key@files', 'invalid', /^ROWMILL_BUCKET_URL has a user without a password/],
      ['s3://k:s@files?endpoint=http://127.0.0.1:9', 'unavailable', /is where ROWMILL_BUCKET_URL says/],
    ] as const
    for (const [url, code, message] of cases) {
      await assert.rejects(openS3Bucket(url, { log, tuning: { attempts: 1 } }), { code, message })
    }
  })
})
