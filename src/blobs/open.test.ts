import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshBucket, missing } from '../../test/servers.ts'
import { temporaryFolder } from '../../test/harness.ts'
import { createLog } from '../log.ts'
import { openBlobs } from './open.ts'

const log = createLog('silent')

test('without a URL blobs are files, and another scheme is refused', async () => {
  await using folder = await temporaryFolder()
  assert.equal((await openBlobs(undefined, folder.at('blobs'), { log })).direct, undefined)
  await assert.rejects(openBlobs('gs://key:secret@files', folder.at('blobs'), { log }), (error: Error) => {
    return /no URL of a store that is known here/.test(error.message) && !error.message.includes('secret')
  })
})

test('s3: opens a bucket', { skip: missing('radosgw') }, async () => {
  await using bucket = await freshBucket()
  const blobs = await openBlobs(bucket.url, '/nowhere', { log })
  assert.equal(await blobs.free(), Number.POSITIVE_INFINITY)
})
