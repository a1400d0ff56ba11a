import { type FileHandle, open } from 'node:fs/promises'

/** Rejects stand close together where they are many, so that one read serves a lot of them. */
const windowBytes = 1 << 20

/** Reads records as they stood in their files. */
export class RawReader implements AsyncDisposable {
  readonly #files = new Map<string, FileHandle>()
  #path = ''
  #window = Buffer.alloc(0)
  #start = 0

  async read(path: string, { byteOffset, byteLength }: { byteOffset: number; byteLength: number }): Promise<string> {
    const end = byteOffset + byteLength
    const held = path === this.#path && byteOffset >= this.#start && end <= this.#start + this.#window.length
    if (!held) await this.#load(path, byteOffset, Math.max(byteLength, windowBytes))
    return this.#window.toString('utf8', byteOffset - this.#start, end - this.#start)
  }

  async #load(path: string, start: number, length: number): Promise<void> {
    let file = this.#files.get(path)
    if (file === undefined) {
      file = await open(path)
      this.#files.set(path, file)
    }
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, start)
    this.#path = path
    this.#window = buffer.subarray(0, bytesRead)
    this.#start = start
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) await file.close()
  }
}
