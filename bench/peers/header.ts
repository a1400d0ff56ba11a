import type { FileHandle } from 'node:fs/promises'

export interface Header {
  /** As they stand, quotes and all. */
  readonly names: readonly string[]
  /** With the line's end. */
  readonly bytes: number
}

/** The first line of a file, where it has no more than 64 KiB and no comma or line end in a name. */
export async function headerOf(file: FileHandle): Promise<Header> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64 << 10), 0, 64 << 10, 0)
  const end = buffer.subarray(0, bytesRead).indexOf('\n')
  if (end < 0) throw new Error('The file has no header line.')
  return { names: buffer.toString('utf8', 0, end).split(','), bytes: end + 1 }
}
