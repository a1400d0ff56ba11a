/** What a key may be: ours, so that nothing has to be escaped wherever it becomes a place. */
import { AppError } from '../errors.ts'

const segment = /^(?!\.\.?$)[A-Za-z0-9._-]{1,255}$/

export function isKey(text: string): boolean {
  return text.split('/').every((one) => segment.test(one))
}

/** @throws {AppError} internal: keys are ours, so a bad one is a fault of ours. */
export function checkKey(key: string): void {
  if (isKey(key)) return
  throw new AppError('internal', 'Internal error', { cause: new Error(`not a blob's key: ${JSON.stringify(key)}`) })
}

export function taken(key: string, cause?: unknown): AppError {
  return new AppError('conflict', `There is a blob ${key} already, and blobs never change.`, { cause })
}

export function absent(key: string, cause: unknown): AppError {
  return new AppError('not_found', `There is no blob ${key}.`, { cause })
}
