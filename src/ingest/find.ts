import { authorize, type Principal } from '../auth/authorize.ts'
import { isId } from '../ids.ts'
import type { Task, Upload, UploadSet } from '../model.ts'
import type { Catalog } from '../ports.ts'

/** @throws {AppError} not_found */
export async function findUpload(
  catalog: Pick<Catalog, 'getUpload'>,
  principal: Principal,
  id: string,
): Promise<Upload> {
  return authorize(principal, isId(id) ? await catalog.getUpload(id) : undefined, `upload ${id}`)
}

/** @throws {AppError} not_found */
export async function findTask(catalog: Pick<Catalog, 'getTask'>, principal: Principal, id: string): Promise<Task> {
  return authorize(principal, isId(id) ? await catalog.getTask(id) : undefined, `task ${id}`)
}

/** @throws {AppError} not_found */
export async function findSet(catalog: Pick<Catalog, 'getSet'>, principal: Principal, id: string): Promise<UploadSet> {
  return authorize(principal, isId(id) ? await catalog.getSet(id) : undefined, `set ${id}`)
}
