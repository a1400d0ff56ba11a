/** What makes a name in a folder survive power loss; the file's own bytes are its writer's to sync. */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync()
}

/** Makes a folder, and those above it that are missing; their entries are durable once it resolves. */
export async function makeFolder(path: string): Promise<void> {
  const top = await mkdir(path, { recursive: true })
  if (top === undefined) return
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === top) return
  }
}
