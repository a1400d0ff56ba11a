/** What a stream gathers before it is handed on. */
const largeBytes = 256 << 10

/**
 * The same bytes in few large chunks: a system call for each of the small ones that come from a socket costs more than the
 * bytes do. Two buffers take turns, so that one is filled while the other is written: a chunk is good until the second one
 * after it is asked for.
 */
export async function* inLargeChunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const buffers: Buffer[] = []
  let turn = 0
  let used = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      const buffer = (buffers[turn] ??= Buffer.allocUnsafeSlow(largeBytes))
      const more = chunk.subarray(at, at + largeBytes - used)
      buffer.set(more, used)
      used += more.byteLength
      at += more.byteLength
      if (used < largeBytes) continue
      yield buffer
      turn = 1 - turn
      used = 0
    }
  }
  const rest = buffers[turn]?.subarray(0, used)
  if (rest !== undefined && rest.length > 0) yield rest
}
