/** What the place of a drop says of it: `PIPELINE/[SET/]NAME`, in a folder that is watched or in a bucket. */
import { basename, dirname } from 'node:path/posix'
import { AppError } from '../errors.ts'
import type { RunRequest } from './orders.ts'

/** A file, and what is to be done with it. */
export interface Placed {
  readonly name: string
  readonly wish: { readonly run: RunRequest }
  readonly set?: { readonly name: string }
}

/**
 * @param path below the top of the inbox or the bucket.
 * @param bound what is done with every file, wherever it lies; undefined lets the folder say.
 * @throws {AppError} invalid, for a file that lies in no pipeline's folder
 */
export function fileAt(path: string, bound: RunRequest | undefined): Placed {
  if (bound !== undefined) {
    const set = dirname(path)
    return { name: path, wish: { run: bound }, ...(set !== '.' && { set: { name: set } }) }
  }
  const [pipeline = '', set = '', ...rest] = path.split('/')
  if (set === '') {
    throw new AppError('invalid', `${basename(path)} lies in no folder of a pipeline. Put it into one, such as load/.`)
  }
  const wish = { run: { pipeline, params: {} } }
  return rest.length === 0 ? { name: set, wish } : { name: rest.join('/'), wish, set: { name: `${pipeline}/${set}` } }
}
