/** Which files of the inbox have finished arriving. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { isForUs } from './layout.ts'

export interface ArrivalsOptions {
  readonly folder: string
  /** How long a file must be unchanged, in milliseconds. */
  readonly settleMs: number
  readonly now: () => number
  readonly log: Log
}

/**
 * Looks through a folder, time after time. A file has arrived when it has not been written to for so long, and is what it
 * was at the look before; one that was moved in, and is old already, has at once.
 * @returns paths below the inbox, with `/` in them.
 */
export function createArrivals({ folder, settleMs, now, log }: ArrivalsOptions): () => Promise<string[]> {
  let before = new Map<string, string>()
  const unreadable = new Set<string>()
  return async () => {
    const seen = new Map<string, string>()
    const arrived: string[] = []
    for await (const path of filesBelow(folder, log)) {
      const found = await stat(join(folder, path), { bigint: true }).catch(ignoreGone)
      if (found === undefined) {
        if (path.includes('\uFFFD') && !unreadable.has(path)) {
          unreadable.add(path)
          log.warn({ path }, 'a file of the inbox is never taken: its name is not in UTF-8. Give it another one')
        }
        continue
      }
      const print = printOf(found)
      seen.set(path, print)
      // Of a clock that was set back, files are from the future.
      const age = Math.abs(now() - Number(found.mtimeMs))
      if (age >= settleMs && (before.get(path) ?? print) === print) arrived.push(path)
    }
    before = seen
    return arrived.toSorted()
  }
}

/** What changes when a file is written to. */
export function printOf({ size, mtimeNs, ino }: { size: bigint; mtimeNs: bigint; ino: bigint }): string {
  return [size, mtimeNs, ino].join('-')
}

/**
 * Links are not followed: what they lead to is not the inbox's. A folder that cannot be read is in nobody else's way.
 * @param below the path of the folder, ending in `/`.
 */
async function* filesBelow(folder: string, log: Log, below = ''): AsyncGenerator<string> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((err: unknown) => {
    if (below === '') throw err
    if (errnoOf(err) !== 'ENOENT') log.warn({ err, folder: below }, 'a folder of the inbox cannot be read')
    return []
  })
  for (const entry of entries) {
    const path = below + entry.name
    if (entry.isDirectory() && isForUs(`${path}/`)) yield* filesBelow(folder, log, `${path}/`)
    if (entry.isFile() && isForUs(path)) yield path
  }
}

function ignoreGone(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT') return undefined
  throw error
}
