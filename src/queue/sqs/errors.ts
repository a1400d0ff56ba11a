/** What SQS and its SDK say, as our errors: by the names that AWS gives them (SQS API reference, Common error types). */
import { AppError, type ErrorCode, errnoOf } from '../../errors.ts'
import { bells } from '../patience.ts'

type Meaning = readonly [code: ErrorCode, what: string]

const login: Meaning = ['invalid', 'the credentials are refused; correct key and secret, or what the SDK finds instead']
const rights: Meaning = [
  'invalid',
  'the credentials may not do what is needed; allow sqs:GetQueueUrl, GetQueueAttributes, SendMessage, ReceiveMessage and DeleteMessage on NAME and NAME-dead, and CreateQueue where these are not there yet',
]

const meanings: Readonly<Record<string, Meaning>> = {
  InvalidClientTokenId: login,
  InvalidAccessKeyId: login,
  UnrecognizedClientException: login,
  SignatureDoesNotMatch: login,
  InvalidSignatureException: login,
  IncompleteSignature: login,
  InvalidSecurity: login,
  ExpiredToken: login,
  ExpiredTokenException: login,
  AccessDenied: rights,
  AccessDeniedException: rights,
  CredentialsProviderError: [
    'invalid',
    'there are no credentials; write them as sqs://KEY:SECRET@REGION/NAME, or give the machine a role',
  ],
  QueueDoesNotExist: ['unavailable', 'the queue is gone'],
  QueueDeletedRecently: [
    'unavailable',
    'the queue was deleted less than a minute ago, and cannot be made again until then',
  ],
  RequestTimeTooSkewed: ['invalid', 'the clock of this machine is wrong; set it'],
  TimeoutError: ['unavailable', 'nothing answers there; look at region and endpoint'],
  SyntaxError: ['invalid', 'what answers there is no SQS; correct the endpoint'],
}

/** At the start: what is to be put right. Nothing of the URL is ever told. */
export function refused(error: unknown, setting = bells): AppError {
  if (error instanceof AppError) return error
  const [code, what] = meaningOf(error)
  return new AppError(code, `${setting}: ${what}.`, { cause: error })
}

/** Later: the same, but it may pass. */
export function away(error: unknown, setting = bells): AppError {
  if (error instanceof AppError) return error
  const [, what] = meaningOf(error)
  return new AppError('unavailable', `The queue is away: ${what} (${setting}). Try again.`, { cause: error })
}

function meaningOf(error: unknown): Meaning {
  const known = error instanceof Error ? meanings[error.name] : undefined
  if (known !== undefined) return known
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOTFOUND') return ['invalid', 'there is no such host; correct region or endpoint']
  if (/^E[A-Z_]+$/.test(errno)) return ['unavailable', `SQS cannot be reached (${errno}); look at region and endpoint`]
  return ['unavailable', 'SQS does not do what was asked of it']
}
