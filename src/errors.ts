/**
 * Every way Rowmill says no. One table ties a code to its HTTP status and to whether a worker tries the task again;
 * `docs/errors.md` has a sentence for each.
 */
export const errorCodes = {
  invalid: { status: 400, retry: false },
  not_found: { status: 404, retry: false },
  method_not_allowed: { status: 405, retry: false },
  timeout: { status: 408, retry: false },
  conflict: { status: 409, retry: false },
  gone: { status: 410, retry: false },
  length_required: { status: 411, retry: false },
  precondition_failed: { status: 412, retry: false },
  too_large: { status: 413, retry: false },
  unsupported: { status: 415, retry: false },
  rejected: { status: 422, retry: false },
  unprocessable: { status: 422, retry: false },
  checksum: { status: 460, retry: false },
  crashed: { status: 500, retry: true },
  internal: { status: 500, retry: true },
  unavailable: { status: 503, retry: true },
  full: { status: 507, retry: false },
} as const satisfies Record<string, { status: number; retry: boolean }>

export type ErrorCode = keyof typeof errorCodes

export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * An error meant for people: `message` names what went wrong, where, and what to do next. `details` is shown to the
 * user as it stands; `cause` goes to the log only.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details
  }
}

/**
 * Whatever was thrown, as an AppError. A full disk is known by its errno wherever it comes from; anything else that is
 * not an AppError is a fault of ours, told to users as "Internal error" and kept whole as the cause.
 */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isDiskFull(error)) {
    return new AppError('full', 'The disk is full. Free some space or point ROWMILL_DATA at a larger disk.', {
      cause: error,
    })
  }
  return new AppError('internal', 'Internal error', { cause: error })
}

/** Whether there was no space left for what was written. */
export function isDiskFull(error: unknown): boolean {
  return errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT'
}

/** The system's name for what failed (`ENOENT`, `EACCES`…), when the error carries one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
