/** A bucket whose objects are other people's: read as they were told of, and otherwise left alone. */
import { AppError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Bucket } from '../../ports.ts'
import { check, connect, isAbsent, type Tuning, usualTuning } from './client.ts'
import { parseS3Url } from './url.ts'
import { begin, isOther, streamOf } from './transfer.ts'

const purpose = { what: 'The bucket of the door', setting: 'ROWMILL_BUCKET_URL' }

/**
 * @param text a URL as ./url.ts reads it.
 * @throws {AppError} invalid (the URL, or the store refuses what it says); unavailable (it does not answer).
 */
export async function openS3Bucket(
  text: string,
  { log, tuning }: { log: Log; tuning?: Partial<Tuning> },
): Promise<Bucket> {
  const store = connect(parseS3Url(text, purpose), { ...usualTuning, ...tuning }, { log, purpose })
  await check(store, true)
  return {
    name: store.bucket,
    prefix: store.base,
    async open({ key, version, etag }, signal) {
      // A version never changes.
      const which = version === undefined ? { etag: etag && quoted(etag) } : { version }
      const wanted = { key, ...which, meaning: meaningOf }
      const first = await begin(store, wanted, signal)
      return { bytes: first.bytes, stream: streamOf(store, wanted, first, signal) }
    },
    ping: () => check(store, false),
  }
}

/** Of what was asked for, and not of the store: the object is gone, or another one. */
function meaningOf(error: unknown): unknown {
  if (isOther(error)) return new AppError('gone', 'The object was written over since.', { cause: error })
  if (!isAbsent(error)) return error
  return new AppError('not_found', 'The object was gone when it was to be read. Put it there again.', { cause: error })
}

/** Events tell an ETag without the quotes that belong to it (RFC 9110, 8.8.3). */
function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`
}
