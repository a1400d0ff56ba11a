/** What the outputs of one attempt at a task share that go to one file. */
import type { Writer } from './writer.ts'

/** A process, and a transaction, since there is one writer at a time. They are given up with the last of them. */
export class Session {
  readonly writer: Writer
  readonly #onEnd: () => Promise<void>
  #users = 0

  constructor(writer: Writer, onEnd: () => Promise<void>) {
    this.writer = writer
    this.#onEnd = onEnd
  }

  join(): void {
    this.#users++
  }

  /** @param isWritten whether the output has written what it has not committed: that of the others goes with it. */
  async leave(isWritten = false): Promise<void> {
    try {
      if (isWritten && this.#users > 1 && this.writer.isAlive) await this.writer.call('abandon', [])
    } finally {
      this.#users--
      if (this.#users === 0) await this.#onEnd()
    }
  }
}
