import { AppError } from '../errors.ts'

/** A file that cannot be read, why, and what to do. */
export function refused(name: string, why: string, advice: string, cause?: unknown): AppError {
  return new AppError('rejected', `${name} cannot be read: ${why}. ${advice}`, { cause, details: { file: name } })
}
