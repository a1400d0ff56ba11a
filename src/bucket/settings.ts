/** The settings of the door, held against each other before anything is opened. */
import { AppError, asAppError } from '../errors.ts'
import { orderOf, type RunRequest } from '../ingest/orders.ts'
import type { Ingest } from '../ingest/ingest.ts'

export const eventsSetting = 'ROWMILL_BUCKET_EVENTS'

export interface DoorSettings {
  /** ROWMILL_BUCKET_URL */
  readonly url: string | undefined
  readonly events: string | undefined
  /** ROWMILL_BUCKET_RUN */
  readonly run: RunRequest | undefined
  /** ROWMILL_QUEUE_URL */
  readonly bells: string | undefined
}

/**
 * @returns where the bucket is and where it is told of; undefined when there is no such door.
 * @throws {AppError} invalid, naming the setting
 */
export function checkSettings(
  { url, events, run, bells }: DoorSettings,
  pipelines: Ingest['pipelines'],
): { readonly url: string; readonly events: string } | undefined {
  if (url === undefined && events === undefined && run === undefined) return undefined
  if (url === undefined) throw refused('ROWMILL_BUCKET_URL is not set: which bucket are the objects to be read from?')
  if (events === undefined) throw refused(`${eventsSetting} is not set: which queue tells of new objects?`)
  if (events === bells) throw refused(`${eventsSetting} and ROWMILL_QUEUE_URL name the same queue. Each needs its own.`)
  try {
    // Each object would be refused.
    if (run !== undefined) orderOf({ pipelines }, run)
  } catch (error) {
    throw refused(`ROWMILL_BUCKET_RUN: ${asAppError(error).message}`, error)
  }
  return { url, events }
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError('invalid', message, { cause })
}
