import { AppError, asAppError, errnoOf } from '../errors.ts'

/** What the system says of a local file or folder, as our errors; the errors of others stay as they are. */
export function translateLocal(error: unknown, where: string): AppError {
  const known = asAppError(error)
  const errno = errnoOf(error)
  if (error instanceof AppError || known.code !== 'internal' || errno === undefined) return known
  return new AppError('unavailable', `${where} cannot be used (${errno}). Check the folder and its disk.`, {
    cause: error,
  })
}
