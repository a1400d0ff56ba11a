/** Records as they stood in their file. */
import { type FileHandle, open } from 'node:fs/promises'
import type { OpenFile } from './open.ts'
import { showBytes } from './transcode.ts'

/** Rejects stand close together where they are many, so that one read serves a lot of them. */
const windowBytes = 1 << 20
/** As much of a record as is shown. */
const mostBytes = 1 << 20

/** What is needed to find a record again. */
export type RawSource = Pick<OpenFile, 'path' | 'encoding' | 'map'>

export interface Raw {
  /** In the bytes that the text was made of. */
  readonly byteOffset: number
  readonly raw: string
}

interface Place {
  readonly byteOffset: number
  readonly byteLength: number
}

export class RawReader implements AsyncDisposable {
  readonly #source: RawSource
  readonly #text: FileHandle
  #window = Buffer.alloc(0)
  #start = 0

  private constructor(source: RawSource, text: FileHandle) {
    this.#source = source
    this.#text = text
  }

  static async open(source: RawSource): Promise<RawReader> {
    return new RawReader(source, await open(source.path))
  }

  /** The record at a place of the text, which begins a line there. What is no text is shown as `\xNN`. */
  async read(place: Place): Promise<Raw> {
    const { encoding, map } = this.#source
    const { offset, bytes } =
      map === undefined
        ? { offset: place.byteOffset, bytes: await this.#read(place) }
        : await map.sourceBytes(place.byteOffset, place.byteLength, mostBytes)
    const raw = showBytes(bytes, encoding.encoding)
    return { byteOffset: offset, raw: place.byteLength > mostBytes ? `${raw}…` : raw }
  }

  async #read({ byteOffset, byteLength }: Place): Promise<Buffer> {
    const length = Math.min(byteLength, mostBytes)
    const isHeld = byteOffset >= this.#start && byteOffset + length <= this.#start + this.#window.length
    if (!isHeld) await this.#load(byteOffset)
    return this.#window.subarray(byteOffset - this.#start, byteOffset - this.#start + length)
  }

  async #load(start: number): Promise<void> {
    const { buffer, bytesRead } = await this.#text.read(Buffer.allocUnsafe(windowBytes), 0, windowBytes, start)
    this.#window = buffer.subarray(0, bytesRead)
    this.#start = start
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.map?.[Symbol.asyncDispose]()
    await this.#text.close()
  }
}
