/** What S3 and its SDK say, as our errors: by S3's error codes ("Error responses", Amazon S3 API Reference). */
import { S3ServiceException } from '@aws-sdk/client-s3'
import { AppError, errnoOf } from '../../errors.ts'

/** Whose fault it is that nothing works: the set-up's, which waiting does not mend, or the moment's. */
type Meaning = readonly [fault: 'setup' | 'moment' | 'full', what: string]

/** What a store is to us, and the setting that names it. */
export interface Purpose {
  readonly what: string
  readonly setting: string
}

export const forBlobs: Purpose = { what: 'The store of blobs', setting: 'ROWMILL_BLOBS_URL' }

/** Stands for the setting. */
const here = '{setting}'

const meanings: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: ['setup', `there is no such bucket; make it, or correct ${here}`],
  // What S3 says of a missing bucket has a code.
  NotFound: ['setup', `what answers is no S3 store; correct ${here}`],
  InvalidBucketName: ['setup', `no bucket can be called that; correct ${here}`],
  InvalidAccessKeyId: ['setup', `it does not know the access key; correct the user in ${here}`],
  SignatureDoesNotMatch: ['setup', `it refuses the secret key; correct the password in ${here}`],
  AccessDenied: ['setup', `it does not let this access key at the bucket; grant that, or correct ${here}`],
  ExpiredToken: ['setup', 'its credentials have expired; get new ones'],
  InvalidToken: ['setup', 'its credentials are not valid; get new ones'],
  CredentialsProviderError: ['setup', `nobody says who we are; write user and password in ${here}`],
  RequestTimeTooSkewed: ['setup', 'the clocks there and here are too far apart; set the wrong one right'],
  PermanentRedirect: ['setup', `the bucket is somewhere else; correct endpoint and region in ${here}`],
  AuthorizationHeaderMalformed: ['setup', `the bucket is in another region; correct region in ${here}`],
  QuotaExceeded: ['full', 'its quota is used up; free some space there, or have it raised'],
  InsufficientStorage: ['full', 'it is full; free some space there'],
  XMinioStorageFull: ['full', 'it is full; free some space there'],
  SlowDown: ['moment', 'it has too much to do'],
  TimeoutError: ['moment', 'it does not answer'],
  AbortError: ['moment', 'it does not answer'],
  RequestTimeout: ['moment', 'it got no bytes for too long'],
}

const notReached = `look whether it runs, and is where ${here} says`

const unreachable = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])
const broken = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE'])

/**
 * @param isOpening whether the set-up can still be corrected by who sees it: `invalid` says so; later on it is
 *   `unavailable` like everything else, for who sends a file can do nothing about it.
 */
export function translate(
  error: unknown,
  { bucket, purpose }: { readonly bucket: string; readonly purpose: Purpose },
  isOpening = false,
): AppError {
  if (error instanceof AppError) return error
  const [fault, what] = meaningOf(error)
  const code = fault === 'full' ? 'full' : fault === 'setup' && isOpening ? 'invalid' : 'unavailable'
  const again = fault === 'moment' ? ' Try again.' : ''
  const told = what.replace(here, purpose.setting)
  return new AppError(code, `${purpose.what} (S3, bucket ${bucket}): ${told}.${again}`, { cause: error })
}

/** The name that S3 gives an error; of an answer without a body, the one that its status stands for. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if (!(error instanceof S3ServiceException) || error.name !== 'Unknown') return error.name
  return { 403: 'AccessDenied', 404: 'NotFound', 412: 'PreconditionFailed' }[statusOf(error)] ?? error.name
}

/** The HTTP status of the answer that an error comes from; 0 when there was none. */
export function statusOf(error: unknown): number {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode ?? 0
}

function meaningOf(error: unknown): Meaning {
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOTFOUND') return ['setup', `there is no such host; correct ${here}`]
  if (unreachable.has(errno)) return ['moment', `it cannot be reached (${errno}); ${notReached}`]
  if (broken.has(errno)) return ['moment', `the connection broke off (${errno})`]
  const code = codeOf(error)
  const known = Object.hasOwn(meanings, code) ? meanings[code] : undefined
  if (known !== undefined) return known
  const status = statusOf(error)
  if (status >= 500 || status === 429) return ['moment', `it cannot serve at present (status ${status})`]
  if (error instanceof S3ServiceException) return ['setup', `it refuses the request (${code}, status ${status})`]
  if (error instanceof Error && error.message.startsWith('Region is missing')) {
    return ['setup', `nobody says in which region it is; write ?region= in ${here}`]
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(errno)) {
    return ['setup', `its certificate is not to be trusted (${errno}); correct endpoint in ${here}`]
  }
  // An answer that is not XML, or not even HTTP, or TLS where there is none.
  return ['setup', `what answers is no S3 store; correct ${here}`]
}
