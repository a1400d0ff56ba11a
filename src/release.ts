/** Gives a chunk's memory back at once. The collector would let gigabytes of them pass before it does. */
export function release({ buffer, byteLength }: Uint8Array): void {
  // Small ones share their memory with others.
  if (byteLength === buffer.byteLength && byteLength > 8192 && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/** The same bytes; a chunk is good until the next one is asked for. */
export async function* releasing(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    yield chunk
    release(chunk)
  }
}
