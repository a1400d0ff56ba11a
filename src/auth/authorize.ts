import { AppError } from '../errors.ts'

/** Who asks. */
export interface Principal {
  readonly id: string
}

/** The only one there is until there are users: whoever can reach the loopback address. */
export const local: Principal = { id: 'local' }

/**
 * The object, for those whom it belongs to. What is not yours is told in the same words as what is not there, so that
 * nobody learns which ids exist.
 * @param what how the message names it, such as `task 01h…`.
 * @throws {AppError} not_found
 */
export function authorize<T extends { readonly owner: string }>(
  principal: Principal,
  object: T | undefined,
  what: string,
): T {
  if (object === undefined || object.owner !== principal.id) {
    throw new AppError('not_found', `There is no ${what}. Check the id.`)
  }
  return object
}
