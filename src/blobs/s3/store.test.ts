import { suite } from 'node:test'
import { testBlobs } from '../../../test/contracts/blobs.ts'
import { freshBucket, missing } from '../../../test/servers.ts'
import { openS3Blobs } from './store.ts'

suite('on a real store', { skip: missing('radosgw') }, () => {
  testBlobs('s3', async () => {
    const bucket = await freshBucket()
    return { [Symbol.asyncDispose]: bucket[Symbol.asyncDispose], open: () => openS3Blobs(bucket.url) }
  })

  testBlobs('s3 below a prefix', async () => {
    const bucket = await freshBucket()
    const url = bucket.url.replace('?', '/rowmill/blobs/?')
    return { [Symbol.asyncDispose]: bucket[Symbol.asyncDispose], open: () => openS3Blobs(url) }
  })
})
