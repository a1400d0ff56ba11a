/** How a put knows its own object from another's of the same key. */
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { taken } from '../keys.ts'
import { isAbsent, type Store } from './client.ts'
import { codeOf } from './errors.ts'

/** A put on its way; `mark` is written on the object, and tells ours from another's of the same key. */
export interface Putting {
  readonly store: Store
  readonly key: string
  readonly mark: Readonly<Record<string, string>>
}

export const markName = 'rowmill-put'

/**
 * Runs the request that makes the object. When its answer is an error, the object may be there all the same: the answer to
 * an earlier try was lost, and the next one finds what that has made.
 */
export async function settled(putting: Putting, request: () => Promise<unknown>): Promise<void> {
  const { store, key } = putting
  store.fail?.('before-store')
  try {
    await request()
    store.fail?.('after-store')
  } catch (error) {
    const found = await markOf(putting).catch(() => undefined)
    if (found === putting.mark[markName]) return
    // Another put was quicker, maybe at this very moment.
    if (found !== undefined || /^(PreconditionFailed|ConditionalRequestConflict)$/.test(codeOf(error))) {
      throw taken(key, error)
    }
    await store.ask(() => Promise.reject(error as Error))
  }
}

/** Stores that do not know If-None-Match replace what is there. */
export async function refuseTaken(putting: Putting): Promise<void> {
  if ((await markOf(putting)) !== undefined) throw taken(putting.key)
}

/** The mark on what stands under the key now: of another's object perhaps none, of no object undefined. */
async function markOf({ store, key }: Putting): Promise<string | undefined> {
  const object = new HeadObjectCommand({ Bucket: store.bucket, Key: store.keyOf(key) })
  try {
    const { Metadata } = await store.ask(() => store.client.send(object))
    return Metadata?.[markName] ?? ''
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
