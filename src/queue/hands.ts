/** The hands at a queue: each can be let go by itself, and all go with the queue. */
export interface Hands extends AsyncDisposable {
  /** Takes care of a hand; what it gives back lets go of that one. */
  add(hand: AsyncDisposable): AsyncDisposable
}

export function createHands(): Hands {
  const hands = new Set<AsyncDisposable>()
  return {
    add(hand) {
      hands.add(hand)
      return {
        async [Symbol.asyncDispose]() {
          hands.delete(hand)
          await hand[Symbol.asyncDispose]()
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...hands].map((hand) => hand[Symbol.asyncDispose]()))
    },
  }
}
