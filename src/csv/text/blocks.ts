/** Files, read from the front and from the back. */
import { type FileHandle, open } from 'node:fs/promises'

/**
 * A file in blocks, each valid until the next: one is read while the other is looked at.
 * @param start the byte to begin with.
 */
export async function* blocksOf(path: string, size = 4 << 20, start = 0): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r')
  let [filling, ready] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)]
  let at = start
  let filled = fill(file, filling, at)
  try {
    for (let length = await filled; length > 0; length = await filled) {
      at += length
      ;[filling, ready] = [ready, filling]
      filled = fill(file, filling, at)
      yield ready.subarray(0, length)
    }
  } finally {
    // The file may not be closed under a read.
    await Promise.allSettled([filled])
  }
}

/** Reads until the block is full or the file ends, so that blocks are alike whatever a read returns. */
async function fill(file: FileHandle, block: Buffer, at: number): Promise<number> {
  let length = 0
  while (length < block.length) {
    const { bytesRead } = await file.read(block, length, block.length - length, at + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

/** How many bytes at the end of a file are this one and no other. */
export async function trailingBytes(path: string, byte: number): Promise<number> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const block = Buffer.alloc(Math.min(size, 64 << 10))
  for (let end = size; end > 0; end -= block.length) {
    const from = Math.max(0, end - block.length)
    const length = await fill(file, block.subarray(0, end - from), from)
    const last = block.subarray(0, length).findLastIndex((other) => other !== byte)
    if (last >= 0) return size - (from + last + 1)
  }
  return size
}
