/** What makes a name in a folder survive power loss; the file's own bytes are its writer's to sync. */
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from './errors.ts'

/** Makes the entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync()
}

/** Makes a folder, and those above it that are missing; their entries are durable once it resolves. */
export async function makeFolder(path: string): Promise<void> {
  for (const made of await makePath(path)) await syncFolder(dirname(made))
}

/**
 * Makes a folder, and those above it that are missing. Not by `recursive`: where none can be made, as in /proc, Node
 * would try for ever.
 * @returns those that it has made.
 */
export async function makePath(path: string): Promise<string[]> {
  try {
    return await makeOne(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    const above = dirname(path)
    const made = (await isFolder(above)) ? [] : await makePath(above)
    // Also where nothing was missing above: somebody else may have made it since.
    return [...made, ...(await makeOne(path))]
  }
}

async function makeOne(path: string): Promise<string[]> {
  try {
    await mkdir(path)
    return [path]
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await isFolder(path))) return []
    throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}
