import { type FileHandle, open } from 'node:fs/promises'

/** What is asked for is close together, mostly, so that one read serves a lot of it. */
const heldBytes = 2 << 20

/** A file that is looked at here and there, from its beginning to its end, and of which a stretch is held. It must not change. */
export class HeldFile implements AsyncDisposable {
  readonly #file: FileHandle
  #held = Buffer.alloc(0)
  #start = 0
  /** Whether what is held goes to the end of the file. */
  #isToEnd = false

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(path: string): Promise<HeldFile> {
    return new HeldFile(await open(path))
  }

  /** So many bytes from a place on, 2 MiB at most, or as many as there are; valid until others are asked for. */
  async bytes(from: number, length: number): Promise<Buffer> {
    const end = this.#isToEnd ? Infinity : this.#start + this.#held.length
    if (from < this.#start || from + length > end) await this.#load(from)
    return this.#held.subarray(from - this.#start, from - this.#start + length)
  }

  async #load(start: number): Promise<void> {
    const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(heldBytes), 0, heldBytes, start)
    this.#held = buffer.subarray(0, bytesRead)
    this.#start = start
    this.#isToEnd = bytesRead < heldBytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
