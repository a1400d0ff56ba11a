import { AppError } from '../../errors.ts'
import { isKey } from '../keys.ts'
import { forBlobs } from './errors.ts'

/** Where a store is, and who comes. */
export interface Place {
  readonly bucket: string
  /** Before every key: empty, or ending with a slash. */
  readonly base: string
  readonly endpoint: string | undefined
  readonly region: string | undefined
  readonly isPathStyle: boolean
  /** Undefined: whatever the SDK finds (environment, profile, the machine's role). */
  readonly login: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
}

const known = new Set(['endpoint', 'region', 'style'])

/**
 * Reads `s3://[KEY:SECRET@]BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|virtual]`. With an endpoint of one's own
 * the bucket stands in the path, and the region is us-east-1, unless it says otherwise.
 * @throws {AppError} invalid. Nothing of the URL is told, for it holds a secret.
 */
export function parseS3Url(text: string, { setting } = forBlobs): Place {
  const refuse: (what: string) => never = (what) => {
    throw new AppError('invalid', `${setting} ${what}.`)
  }
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return refuse('has a % that stands for no character; write %25')
    }
  }
  const url = URL.canParse(text) ? new URL(text) : refuse('is no URL; write s3://BUCKET, with / : @ in a secret as %XX')
  const { username, password, hostname, port, pathname, searchParams: params, hash } = url
  const unknown = [...params.keys()].find((name) => !known.has(name))
  if (unknown !== undefined) refuse(`has an option that is not known; there are ${[...known].join(', ')}`)
  if (hash !== '') refuse('holds a #; write %23')
  if (port !== '') refuse('has a port after the bucket; write ?endpoint=http://HOST:PORT')
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(hostname)) refuse('names no bucket; write s3://BUCKET')
  if ((username === '') !== (password === '')) refuse('has a user without a password, or a password without a user')
  const prefix = pathname.replace(/^\/|\/$/g, '')
  if (prefix !== '' && !isKey(prefix)) refuse('has a prefix of other characters than letters, digits, . _ - and /')
  const style = params.get('style')
  if (style !== null && style !== 'path' && style !== 'virtual') refuse('has a style that is neither path nor virtual')
  const endpoint = params.get('endpoint') ?? undefined
  if (endpoint !== undefined && !isEndpoint(endpoint)) refuse('has an endpoint that is no http:// or https:// URL')
  return {
    bucket: hostname,
    base: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    region: params.get('region') ?? (endpoint === undefined ? undefined : 'us-east-1'),
    isPathStyle: style === null ? endpoint !== undefined : style === 'path',
    login: username === '' ? undefined : { accessKeyId: decoded(username), secretAccessKey: decoded(password) },
  }
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, search } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && search === ''
}
