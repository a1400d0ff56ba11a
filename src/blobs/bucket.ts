/** The bucket that a URL names, whose objects come in. */
import type { Log } from '../log.ts'
import type { Bucket } from '../ports.ts'

/**
 * @param url `s3://…` as ./s3/url.ts reads it.
 * @throws {AppError} invalid (the URL, or what it names, is no bucket that can be read); unavailable (no store answers).
 */
export async function openBucket(url: string, { log }: { log: Log }): Promise<Bucket> {
  const { openS3Bucket } = await import('./s3/bucket.ts')
  return await openS3Bucket(url, { log })
}
