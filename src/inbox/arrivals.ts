/** Which files of the inbox have finished arriving. */
import { readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { errnoOf } from '../errors.ts'
import { isForUs } from './layout.ts'

/** A file, by its path below the inbox with `/` in it, and what changes when it is written to. */
export interface Arrived {
  readonly path: string
  readonly size: number
  readonly print: string
}

/**
 * Looks through a folder, time after time. A file has arrived when it has not been written to for so long, and is what it
 * was at the look before; one that was moved in, and is old already, has at once.
 */
export function createArrivals(root: string, settleMs: number, now: () => number): () => Promise<Arrived[]> {
  let before = new Map<string, string>()
  return async () => {
    const seen = new Map<string, string>()
    const arrived: Arrived[] = []
    for (const path of await filesBelow(root)) {
      const found = await stat(join(root, path), { bigint: true }).catch(ignoreGone)
      if (found === undefined) continue
      const print = printOf(found)
      seen.set(path, print)
      // Of a clock that was set back, files are from the future.
      const age = Math.abs(now() - Number(found.mtimeMs))
      if (age >= settleMs && (before.get(path) ?? print) === print) {
        arrived.push({ path, size: Number(found.size), print })
      }
    }
    before = seen
    return arrived.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }
}

/** What changes when a file is written to. */
export function printOf({ size, mtimeNs, ino }: { size: bigint; mtimeNs: bigint; ino: bigint }): string {
  return [size, mtimeNs, ino].join('-')
}

/** Links are not followed: what they lead to is not the inbox's. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(isForUs)
}

function ignoreGone(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT') return undefined
  throw error
}
