/** Files that are still being written: named for their writer, so that those of the dead are known. */
import { randomUUID } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../errors.ts'

export function draftName(): string {
  return `${randomUUID()}.${process.pid}.${hostname()}`
}

/**
 * Removes the drafts that nobody will finish.
 * @param idleMs without a write for so long, one is nobody's even where its writer cannot be asked, or lives.
 * @returns how many they were.
 */
export async function sweepDrafts(folder: string, idleMs: number): Promise<number> {
  let swept = 0
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if (await isLive(path, name, idleMs)) continue
    await rm(path, { force: true, recursive: true })
    swept++
  }
  return swept
}

async function isLive(path: string, name: string, idleMs: number): Promise<boolean> {
  const [, pid = '', ...host] = name.split('.')
  const written = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (written === undefined || written.mtimeMs < Date.now() - idleMs) return false
  if (host.join('.') !== hostname()) return true
  // A container's process has the same number at every start.
  if (Number(pid) === process.pid) return written.mtimeMs >= performance.timeOrigin
  return isRunning(Number(pid))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}
