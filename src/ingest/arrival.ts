/** A stream of bytes on its way in, taken in stretches: what has come is kept, also when the rest never comes. */

/** Disposed, it lets the source go, whatever is still to come. */
export interface Arrival extends AsyncDisposable {
  /** The next bytes, at most so many of them; fewer only at the end. */
  take(most: number): AsyncGenerator<Uint8Array>
  /** Whether there is nothing more to come. */
  readonly isOver: boolean
  /** What ended it before its end. */
  readonly broken: Error | undefined
}

export function arrive(source: AsyncIterable<Uint8Array>): Arrival {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Uint8Array | undefined
  let isOver = false
  let broken: Error | undefined

  async function next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await iterator.next()
      return done === true ? undefined : value
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error))
      return undefined
    }
  }

  return {
    async *take(most) {
      for (let left = most; left > 0; ) {
        rest ??= await next()
        if (rest === undefined) {
          isOver = true
          return
        }
        const chunk = rest.subarray(0, left)
        rest = chunk.byteLength < rest.byteLength ? rest.subarray(left) : undefined
        left -= chunk.byteLength
        yield chunk
      }
    },
    get isOver() {
      return isOver
    },
    get broken() {
      return broken
    },
    async [Symbol.asyncDispose]() {
      await iterator.return?.()
    },
  }
}
