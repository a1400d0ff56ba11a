/** `sqs://region/name?endpoint=http://…`: where the queue is, and how it and that of the dead letters are called. */
import { AppError } from '../../errors.ts'
import { bells } from '../patience.ts'

export interface Address {
  readonly region: string
  readonly queue: string
  /** Where messages go that nobody can read. */
  readonly dead: string
  /** Instead of AWS. */
  readonly endpoint?: string
  /** Instead of those that the SDK finds by itself: environment, files, the role of the machine. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

const deadSuffix = '-dead'

/** SQS: up to 80 letters, digits, hyphens and underscores. A FIFO queue would hold bells back, and is none of these. */
const names = new RegExp(`^[\\w-]{1,${80 - deadSuffix.length}}$`)

/** @throws {AppError} invalid */
export function addressOf(url: string, setting = bells): Address {
  try {
    const { hostname: region, username, password, pathname, port, searchParams } = new URL(url)
    const queue = pathname.slice(1)
    const endpoint = searchParams.get('endpoint')
    const isKnown = [...searchParams.keys()].every((name) => name === 'endpoint')
    const isWhole = (username === '') === (password === '')
    if (!/^[a-z0-9-]+$/.test(region) || port !== '' || !names.test(queue) || !isKnown || !isWhole)
      throw malformed(setting)
    if (endpoint !== null && !/^https?:$/.test(new URL(endpoint).protocol)) throw malformed(setting)
    const [accessKeyId, secretAccessKey] = [decodeURIComponent(username), decodeURIComponent(password)]
    return {
      region,
      queue,
      dead: queue + deadSuffix,
      ...(endpoint !== null && { endpoint }),
      ...(username !== '' && { credentials: { accessKeyId, secretAccessKey } }),
    }
  } catch (error) {
    throw error instanceof AppError ? error : malformed(setting)
  }
}

/** Without a cause, which would quote the secret. */
function malformed(setting: string): AppError {
  return new AppError(
    'invalid',
    `${setting} is not the URL of a queue. Write sqs://REGION/NAME, or sqs://KEY:SECRET@REGION/NAME?endpoint=http://HOST:PORT, with %XX for what has a meaning in URLs; NAME has up to 75 letters, digits, - and _.`,
  )
}
