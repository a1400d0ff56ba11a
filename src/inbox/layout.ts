/** What a place in the inbox says of a file: `PIPELINE/[SET/]NAME`. */
import { basename, dirname } from 'node:path/posix'
import { AppError } from '../errors.ts'
import type { RunRequest } from '../ingest/orders.ts'
import type { NewFile } from '../ingest/uploads.ts'

/** The inbox's own folders: what is being worked on, and what has come of it. */
export const ownFolders = { taken: 'taken', done: 'done', failed: 'failed' } as const

/** How programs call a file that they have not finished writing. */
const unfinished = /^\.|~$|\.(?:part|partial|filepart|crdownload|download|tmp|temp|swp)$/i

/** Whether a path below the inbox may be a file for us. */
export function isForUs(path: string): boolean {
  const [first = '', ...rest] = path.split('/')
  const isOwn = rest.length > 0 && Object.values(ownFolders).some((folder) => folder === first)
  return !isOwn && ![first, ...rest].some((name) => unfinished.test(name))
}

/**
 * @param path below the inbox.
 * @param bound what is done with every file, wherever it lies; undefined lets the folder say.
 * @throws {AppError} invalid, for a file that lies in no pipeline's folder
 */
export function fileAt(path: string, bound: RunRequest | undefined): Pick<NewFile, 'name' | 'wish' | 'set'> {
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
