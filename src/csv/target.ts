import type { WriteStream } from 'node:fs'
import { open } from 'node:fs/promises'

/**
 * A stream into a new file, which is there before anything can end the stream: one that is made later would be left
 * behind by whoever removes what broke off. The stream closes it.
 */
export async function openTarget(path: string): Promise<WriteStream> {
  const file = await open(path, 'w')
  return file.createWriteStream({ highWaterMark: 1 << 20 })
}
