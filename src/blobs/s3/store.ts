/**
 * Blobs as objects of an S3 store (Amazon S3 API Reference, 2006-03-01). The store makes an object durable and visible at
 * once, with the answer to the request that makes it.
 */
import type { Fail } from '../../failpoints.ts'
import type { Log } from '../../log.ts'
import type { Blobs } from '../../ports.ts'
import { abandon } from './abandon.ts'
import { check, connect, type Tuning, usualTuning } from './client.ts'
import { direct } from './direct.ts'
import { list, remove } from './list.ts'
import { put } from './put.ts'
import { fetch, read } from './read.ts'
import { parseS3Url } from './url.ts'

/**
 * Opens a bucket, or what stands below a prefix in it.
 * @param text a URL as ./url.ts reads it.
 * @throws {AppError} invalid (the URL, or the store refuses what it says); unavailable (it does not answer).
 */
export async function openS3Blobs(
  text: string,
  { log, tuning, fail }: { log?: Log; tuning?: Partial<Tuning>; fail?: Fail } = {},
): Promise<Blobs> {
  const store = connect(parseS3Url(text), { ...usualTuning, ...tuning }, { log, fail })
  await check(store, true)
  const arriving = new Set<string>()
  return {
    put: (key, source, options = {}) => put(store, arriving, key, source, options),
    read: (key) => read(store, key),
    fetch: (keys, path, signal) => fetch(store, keys, path, signal),
    list: (prefix) => list(store, prefix),
    delete: (prefix) => remove(store, prefix),
    abandon: (idleMs) => abandon(store, idleMs),
    free: async () => Number.POSITIVE_INFINITY,
    ping: () => check(store, false),
    direct: direct(store),
  }
}
