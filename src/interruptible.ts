/**
 * The source until the signal fires; then the signal's reason is thrown, however silent the source is. No promise outlives
 * its chunk: a race against one that lasts would keep something of every chunk of a long stream.
 */
export async function* interruptible<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  let interrupt: ((reason: unknown) => void) | undefined
  const abort = () => interrupt?.(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        interrupt = reject
        iterator.next().then(resolve, reject)
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Not waited for: a source that hangs does not return either.
    iterator.return?.().catch(() => {})
  }
}
