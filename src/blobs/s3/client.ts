import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { AppError } from '../../errors.ts'
import type { Fail } from '../../failpoints.ts'
import type { Log } from '../../log.ts'
import { codeOf, forBlobs, type Purpose, statusOf, translate } from './errors.ts'
import type { Place } from './url.ts'

/** How patient the driver is, and how much it sends at once; tests are in a hurry. */
export interface Tuning {
  /** Until a connection is there. */
  readonly connectMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  /** Tries of one request. */
  readonly attempts: number
  /** Of the first parts: those of a long object are larger. S3 takes none below 5 MiB but the last. */
  readonly partBytes: number
}

export const usualTuning: Tuning = { connectMs: 5_000, idleMs: 20_000, attempts: 3, partBytes: 8 << 20 }

/** What every operation of the driver works with. */
export interface Store extends Tuning {
  readonly client: S3Client
  readonly bucket: string
  readonly purpose: Purpose
  /** The whole key there, of one of ours. */
  readonly keyOf: (key: string) => string
  readonly base: string
  readonly log: Log | undefined
  readonly fail: Fail
  /** Runs what asks the store, and only that: what a source or a signal throws is the caller's own. */
  readonly ask: <T>(work: () => Promise<T>) => Promise<T>
}

/** As many sockets as there may be: each object that is read holds one, and each that is written two. */
const mostSockets = 200

export function connect(
  place: Place,
  tuning: Tuning,
  { log, fail, purpose = forBlobs }: { log: Log | undefined; fail?: Fail; purpose?: Purpose },
): Store {
  const { bucket, base, endpoint, region, isPathStyle, login } = place
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(login !== undefined && { credentials: login }),
    forcePathStyle: isPathStyle,
    // Older stores know none of the newer checksums; parts carry Content-MD5, which all of them check.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: tuning.attempts,
    requestHandler: {
      connectionTimeout: tuning.connectMs,
      socketTimeout: tuning.idleMs,
      httpAgent: { keepAlive: true, maxSockets: mostSockets },
      httpsAgent: { keepAlive: true, maxSockets: mostSockets },
    },
  })
  return {
    ...tuning,
    client,
    bucket,
    purpose,
    base,
    keyOf: (key) => base + key,
    log,
    fail,
    async ask(work) {
      try {
        return await work()
      } catch (error) {
        throw translate(error, { bucket, purpose })
      }
    },
  }
}

/** No check takes longer: who opens a store, or asks whether it is there, waits for the answer. */
const checkMs = 10_000

/**
 * Whether the store is there and lets us in: by listing, since what is wrong has no name in the answer to a HEAD.
 * @throws {AppError} unavailable; invalid at opening, where it is a matter of settings.
 */
export async function check(store: Store, isOpening: boolean): Promise<void> {
  const { client, bucket, base } = store
  const one = new ListObjectsV2Command({ Bucket: bucket, Prefix: base, MaxKeys: 1 })
  try {
    const { Name } = await client.send(one, { abortSignal: AbortSignal.timeout(checkMs) })
    // Any page of HTML can be read as an empty list.
    if (Name !== bucket) throw new Error('the answer is no list of that bucket')
  } catch (error) {
    throw translate(error, store, isOpening)
  }
}

/** Whether an error says that there is no such object. */
export function isAbsent(error: unknown): boolean {
  return error instanceof AppError
    ? isAbsent(error.cause)
    : statusOf(error) === 404 && codeOf(error) !== 'NoSuchBucket' && codeOf(error) !== 'NoSuchUpload'
}
