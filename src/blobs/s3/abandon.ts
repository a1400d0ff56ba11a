/** Multipart uploads that nobody will finish: their parts cost space, and no listing of objects shows them. */
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import { isKey } from '../keys.ts'
import type { Store } from './client.ts'
import { codeOf } from './errors.ts'

/** As `Blobs.abandon`. */
export async function abandon(store: Store, idleMs: number): Promise<number> {
  const { client, bucket, base, ask } = store
  let ended = 0
  let from: Pick<ListMultipartUploadsCommandOutput, 'NextKeyMarker' | 'NextUploadIdMarker'> | undefined
  do {
    const markers = { KeyMarker: from?.NextKeyMarker, UploadIdMarker: from?.NextUploadIdMarker }
    const some = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: base, ...markers })
    let now = Date.now()
    some.middlewareStack.add(
      (next) => async (request) => {
        const answer = await next(request)
        now = dateOf(answer.response) ?? now
        return answer
      },
      { step: 'deserialize' },
    )
    const page = await ask(() => client.send(some))
    for (const upload of page.Uploads ?? []) {
      if (await isIdle(store, upload, now - idleMs)) ended += await end(store, upload)
    }
    from = page.IsTruncated === true ? page : undefined
  } while (from !== undefined)
  return ended
}

/** The store's clock: ours may be wrong. */
function dateOf(response: unknown): number | undefined {
  const { headers } = response as { headers?: Record<string, string> }
  const date = Date.parse(headers?.['date'] ?? '')
  return Number.isNaN(date) ? undefined : date
}

/** Whether nothing has come since: a slow one that was begun long ago may still be on its way. */
async function isIdle(store: Store, { Key = '', UploadId, Initiated }: MultipartUpload, since: number) {
  if (!isKey(Key.slice(store.base.length)) || Initiated === undefined || Initiated.getTime() > since) return false
  let marker: string | undefined
  do {
    const some = new ListPartsCommand({ Bucket: store.bucket, Key, UploadId, PartNumberMarker: marker })
    const page = await store.client.send(some).catch((error: unknown) => {
      if (codeOf(error) === 'NoSuchUpload') return { Parts: [], IsTruncated: false, NextPartNumberMarker: undefined }
      return store.ask(() => Promise.reject(error as Error))
    })
    if (page.Parts?.some(({ LastModified }) => (LastModified?.getTime() ?? 0) > since) === true) return false
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
  } while (marker !== undefined)
  return true
}

/** 1; 0 when it has ended by itself meanwhile. */
async function end(store: Store, { Key, UploadId }: MultipartUpload): Promise<number> {
  try {
    await store.client.send(new AbortMultipartUploadCommand({ Bucket: store.bucket, Key, UploadId }))
    return 1
  } catch (error) {
    if (codeOf(error) === 'NoSuchUpload') return 0
    return await store.ask(() => Promise.reject(error as Error))
  }
}
