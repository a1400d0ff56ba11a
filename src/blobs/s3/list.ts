/** Which objects there are below a prefix, and their removal. */
import { DeleteObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { checkKey, isKey } from '../keys.ts'
import type { Store } from './client.ts'

/** As many keys as S3 takes in one request. */
const batch = 1_000

/** As `Blobs.list`. What others have put there, such as the folders that consoles make, is nothing of ours. */
export async function list(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const some of pages(store, prefix)) keys.push(...some)
  return keys.toSorted()
}

/** As `Blobs.delete`. */
export async function remove(store: Store, prefix: string): Promise<void> {
  checkKey(prefix.replace(/\/$/, ''))
  for await (const keys of pages(store, prefix)) {
    if (keys.length === 0) continue
    const Objects = keys.map((key) => ({ Key: store.keyOf(key) }))
    const all = new DeleteObjectsCommand({ Bucket: store.bucket, Delete: { Objects, Quiet: true } })
    await store.ask(async () => {
      const { Errors: [error] = [] } = await store.client.send(all)
      if (error !== undefined) throw Object.assign(new Error(error.Message), { name: error.Code })
    })
  }
}

/** Whole names only: the object that is called so, and those below it. */
async function* pages(store: Store, prefix: string): AsyncGenerator<string[]> {
  if (prefix === '') return yield* pagesOf(store, '')
  const name = prefix.replace(/\/$/, '')
  checkKey(name)
  // Of all that begin so it is the first: a search through the others is spared.
  const { keys } = await page(store, name, { MaxKeys: 1 })
  if (keys[0] === name) yield [name]
  yield* pagesOf(store, `${name}/`)
}

async function* pagesOf(store: Store, start: string): AsyncGenerator<string[]> {
  let token: string | undefined
  do {
    const { keys, next } = await page(store, start, { MaxKeys: batch, ContinuationToken: token })
    yield keys
    token = next
  } while (token !== undefined)
}

async function page(
  { client, bucket, base, keyOf, ask }: Store,
  start: string,
  more: { MaxKeys: number; ContinuationToken?: string | undefined },
): Promise<{ keys: string[]; next: string | undefined }> {
  const some = new ListObjectsV2Command({ Bucket: bucket, Prefix: keyOf(start), ...more })
  const { Contents = [], IsTruncated, NextContinuationToken: next } = await ask(() => client.send(some))
  const keys = Contents.map(({ Key = '' }) => Key.slice(base.length)).filter(isKey)
  return { keys, next: IsTruncated === true ? next : undefined }
}
