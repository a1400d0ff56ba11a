/** The store of blobs that a URL names. */
import { resolve } from 'node:path'
import { AppError } from '../errors.ts'
import type { Fail } from '../failpoints.ts'
import type { Log } from '../log.ts'
import type { Blobs } from '../ports.ts'
import { openDiskBlobs } from './disk.ts'

/**
 * @param url `s3://…` as ./s3/url.ts reads it, or `disk:FOLDER`; undefined for files
 * @param folder in this folder.
 * @throws {AppError} invalid (the URL, or what it names, is no store that can be used); unavailable (no store answers).
 */
export async function openBlobs(
  url: string | undefined,
  folder: string,
  options: { log: Log; fail?: Fail },
): Promise<Blobs> {
  if (url === undefined) return await openDiskBlobs(folder, options)
  const disk = /^disk:(.+)$/s.exec(url)?.[1]
  if (disk !== undefined) return await openDiskBlobs(resolve(disk), options)
  if (!/^s3:/i.test(url)) {
    throw new AppError(
      'invalid',
      'ROWMILL_BLOBS_URL is no URL of a store that is known here. Write s3://BUCKET or disk:FOLDER.',
    )
  }
  // The SDK is large: whoever keeps blobs on disk never loads it.
  const { openS3Blobs } = await import('./s3/store.ts')
  return await openS3Blobs(url, options)
}
