/** Records as they stood in their file. */
import type { Place } from './fault.ts'
import type { OpenFile } from './open.ts'
import { decoderOf, showBytes } from './text/decoder.ts'
import { HeldFile } from './text/held-file.ts'

/** As much of a record as is shown; of a longer one it ends in a whole character. */
const mostBytes = 1 << 20

/** What is needed to find a record again. */
export type RawSource = Pick<OpenFile, 'path' | 'encoding' | 'map'>

export interface Raw {
  /** In the bytes that the text was made of. */
  readonly byteOffset: number
  readonly raw: string
}

export class RawReader implements AsyncDisposable {
  readonly #source: RawSource
  readonly #text: HeldFile

  private constructor(source: RawSource, text: HeldFile) {
    this.#source = source
    this.#text = text
  }

  static async open(source: RawSource): Promise<RawReader> {
    return new RawReader(source, await HeldFile.open(source.path))
  }

  /** The record at a place of the text, which begins a line there. What is no text is shown as `\xNN`. */
  async read({ byteOffset, byteLength }: Pick<Place, 'byteOffset' | 'byteLength'>): Promise<Raw> {
    const { encoding, map } = this.#source
    const { offset, bytes } =
      map === undefined
        ? { offset: byteOffset, bytes: await this.#text.bytes(byteOffset, Math.min(byteLength, mostBytes + 1)) }
        : await map.sourceBytes(byteOffset, byteLength, mostBytes + 1)
    if (bytes.length <= mostBytes) return { byteOffset: offset, raw: showBytes(bytes, encoding.encoding) }
    const whole = decoderOf(encoding.encoding).whole(bytes.subarray(0, mostBytes))
    return { byteOffset: offset, raw: `${showBytes(bytes.subarray(0, whole), encoding.encoding)}…` }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.map?.[Symbol.asyncDispose]()
    await this.#text[Symbol.asyncDispose]()
  }
}
