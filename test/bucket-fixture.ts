/** A bucket that files are dropped into, and what a store tells of it. */
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { freshBucket, type TestBucket } from './servers.ts'

export interface Dropped {
  readonly key: string
  readonly etag: string
}

export interface DropBucket extends TestBucket {
  drop(key: string, content: string | Buffer): Promise<Dropped>
  remove(key: string): Promise<void>
}

export async function openDropBucket(): Promise<DropBucket> {
  const bucket = await freshBucket()
  const { client, name: Bucket } = bucket
  return {
    ...bucket,
    async drop(key, content) {
      const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket, Key: key, Body: content }))
      return { key, etag: ETag.replaceAll('"', '') }
    },
    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }))
    },
  }
}

/** As S3 writes it; a record for each. */
export function eventOf({ name }: Pick<TestBucket, 'name'>, ...objects: readonly Dropped[]): string {
  const Records = objects.map(({ key, etag }) => ({
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    s3: {
      bucket: { name, arn: `arn:aws:s3:::${name}` },
      object: { key: new URLSearchParams([['', key]]).toString().slice(1), eTag: etag, sequencer: '00' },
    },
  }))
  return JSON.stringify({ Records })
}
