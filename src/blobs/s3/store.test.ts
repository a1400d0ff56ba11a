import { after, before, suite } from 'node:test'
import { testBlobs } from '../../../test/contracts/blobs.ts'
import { emptyBucket, freshBucket, missing, type TestBucket } from '../../../test/servers.ts'
import { newId } from '../../ids.ts'
import { openS3Blobs } from './store.ts'

/** The least that S3 takes. */
const tuning = { partBytes: 5 << 20 }

suite('on a real S3 store', { skip: missing('radosgw') }, () => {
  let bucket: TestBucket
  before(async () => {
    bucket = await freshBucket()
  })
  after(() => bucket[Symbol.asyncDispose]())

  testBlobs('s3', async () => {
    return { [Symbol.asyncDispose]: () => emptyBucket(bucket), open: () => openS3Blobs(bucket.url, { tuning }) }
  })

  testBlobs('s3 below a prefix', async () => {
    const url = bucket.url.replace('?', `/${newId()}?`)
    return { [Symbol.asyncDispose]: async () => {}, open: () => openS3Blobs(url, { tuning }) }
  })
})
