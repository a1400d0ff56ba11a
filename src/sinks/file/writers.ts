/** The processes of one sink: what has done its work is there for the next, for a while. */
import { Writer, type WriterOptions } from './writer.ts'

/** Starting a process takes longer than a small load does. */
const lingerMs = 1_000
/** One that has nothing to do answers at once. */
const answerMs = 1_000

export class Writers {
  readonly #options: Omit<WriterOptions, 'path'>
  /** Those that have nothing to do and no file open, by the file that they are for. */
  readonly #idle = new Map<string, { readonly writer: Writer; readonly end: NodeJS.Timeout }>()

  constructor(options: Omit<WriterOptions, 'path'>) {
    this.#options = options
  }

  /** One that is nobody else's, until it is given back. */
  async take(path: string): Promise<Writer> {
    const idle = this.#idle.get(path)
    if (idle === undefined) return new Writer({ ...this.#options, path })
    this.#idle.delete(path)
    clearTimeout(idle.end)
    idle.writer.ref()
    // It may have been stopped or ended meanwhile: one that does not answer is ended, and another one started.
    if (idle.writer.isSound && (await idle.writer.close(answerMs))) return idle.writer
    await idle.writer[Symbol.asyncDispose]()
    return new Writer({ ...this.#options, path })
  }

  /** Has it close the file. One to which anything has happened ends, and what it has not committed is gone. */
  async giveBack(path: string, writer: Writer): Promise<void> {
    const isClosed = writer.isSound && (await writer.close())
    if (!isClosed || this.#idle.has(path)) return await writer[Symbol.asyncDispose]()
    const end = setTimeout(() => {
      this.#idle.delete(path)
      void writer[Symbol.asyncDispose]()
    }, lingerMs)
    // They keep nobody who has nothing else to do.
    end.unref()
    writer.unref()
    this.#idle.set(path, { writer, end })
  }

  /** Has one do something that leaves nothing open. */
  async ask<T>(path: string, call: (writer: Writer) => Promise<T>): Promise<T> {
    const writer = await this.take(path)
    try {
      return await call(writer)
    } finally {
      await this.giveBack(path, writer)
    }
  }
}
