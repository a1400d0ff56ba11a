/** URLs by which clients send and get objects past us: signed queries (AWS Signature Version 4). */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { DirectBlobs } from '../../direct.ts'
import { absent, checkKey } from '../keys.ts'
import { isAbsent, type Store } from './client.ts'

export function direct(store: Store): DirectBlobs {
  const { client, ask } = store
  const objectOf = (key: string) => {
    checkKey(key)
    return { Bucket: store.bucket, Key: store.keyOf(key) }
  }
  return {
    async upload(key, seconds) {
      const object = new PutObjectCommand(objectOf(key))
      return await ask(() => getSignedUrl(client, object, { expiresIn: seconds }))
    },
    async download(key, seconds, { name, type }) {
      const told = { ResponseContentDisposition: attachment(name), ResponseContentType: type }
      const object = new GetObjectCommand({ ...objectOf(key), ...told })
      return await ask(() => getSignedUrl(client, object, { expiresIn: seconds }))
    },
    async stat(key) {
      const object = new HeadObjectCommand(objectOf(key))
      try {
        const { ContentLength = 0 } = await ask(() => client.send(object))
        return { bytes: ContentLength }
      } catch (error) {
        throw isAbsent(error) ? absent(key, error) : error
      }
    },
  }
}

/** A name in any script (RFC 6266, RFC 8187), with what is left of it for those who understand ASCII only. */
function attachment(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  const full = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${full}`
}
