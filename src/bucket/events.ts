/**
 * What notifications tell of a bucket: in the form of S3 ("Event message structure", Amazon S3 User Guide), which other
 * stores speak too, bare or in an envelope of SNS; and in that of EventBridge.
 */
import { z } from 'zod'
import type { BucketObject } from '../ports.ts'

/** An object that was put there. */
export interface Arrival extends BucketObject {
  readonly bucket: string
}

/** A message is larger nowhere: SQS takes a MiB. */
const mostCharacters = 1 << 20
/** S3 puts one into a message. */
const mostRecords = 1_000

/** Stores that keep no versions say so in many ways. */
const tag = z
  .string()
  .nullish()
  .transform((text) => (text === '' || text === 'null' ? undefined : (text ?? undefined)))

const name = z.object({ name: z.string().min(1) })

/** What is known of an object besides its key must tell it from another under the same. */
function isKnown({ version, etag }: Pick<Arrival, 'version' | 'etag'>): boolean {
  return version !== undefined || etag !== undefined
}

/** Its keys are written as forms are: `+` is a space, and the rest is percent-encoded UTF-8. */
const formKey = z.string().transform((text, context) => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    context.addIssue('no key')
    return z.NEVER
  }
})

const created = z
  .object({
    s3: z.object({ bucket: name, object: z.object({ key: formKey, versionId: tag, eTag: tag }) }),
  })
  .transform(({ s3: { bucket, object } }): Arrival => {
    return { bucket: bucket.name, key: object.key, version: object.versionId, etag: object.eTag }
  })
  .refine(isKnown)

const records = z.object({ Records: z.array(z.object({ eventName: z.string() }).loose()).max(mostRecords) })

/** EventBridge tells keys as they are. */
const bridged = z
  .object({
    detail: z.object({ bucket: name, object: z.object({ key: z.string(), 'version-id': tag, etag: tag }) }),
  })
  .transform(({ detail: { bucket, object } }): Arrival => {
    return { bucket: bucket.name, key: object.key, version: object['version-id'], etag: object.etag }
  })
  .refine(isKnown)

const fromBridge = z.object({ source: z.literal('aws.s3'), 'detail-type': z.string() }).loose()

/** What S3 sends when notifications are set up. */
const test = z.object({ Event: z.literal('s3:TestEvent') })

const envelope = z.object({ Type: z.literal('Notification'), Message: z.string() })

/** @returns what was put into buckets, in order; undefined when the message tells nothing that could be understood. */
export function readEvent(message: string): readonly Arrival[] | undefined {
  if (message.length > mostCharacters) return undefined
  try {
    const told: unknown = JSON.parse(message)
    const wrapped = envelope.safeParse(told)
    return arrivalsOf(wrapped.success ? JSON.parse(wrapped.data.Message) : told)
  } catch {
    return undefined
  }
}

/** @throws {Error} when it is no event. */
function arrivalsOf(event: unknown): Arrival[] {
  if (test.safeParse(event).success) return []
  const bridge = fromBridge.safeParse(event)
  if (bridge.success) return bridge.data['detail-type'] === 'Object Created' ? filesOf([bridged.parse(event)]) : []
  // Some stores write the names as those are that one subscribes to.
  const told = records.parse(event).Records.filter(({ eventName }) => /^(s3:)?ObjectCreated:/.test(eventName))
  return filesOf(told.map((record) => created.parse(record)))
}

/** Consoles make empty objects that stand for folders. */
function filesOf(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.filter(({ key }) => !key.endsWith('/'))
}
