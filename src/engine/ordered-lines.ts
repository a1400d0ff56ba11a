/**
 * Lines on disk, in the order of the files that they are about. A file is gone through a few times, each time from its
 * beginning to its end, so the lines come in a few stretches that are in order already, and are merged: that takes no
 * memory to speak of, however many they are. A sort would take all that DuckDB may have, and as much again.
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { flatDelimiter } from '../csv/flat.ts'

/** Characters or bytes that are written at once. */
const blockLength = 1 << 18
/** Bytes that are read at once: more, so that a line of many MiB is not put together from very many pieces. */
const readBytes = 1 << 20

/** Lines up to so many bytes are not measured one by one. */
const shortBytes = 1 << 16

interface Stretch {
  readonly file: number
  /** Where in the list it begins. */
  readonly start: number
}

export class OrderedLines implements AsyncDisposable {
  /** No line has more bytes. */
  longest = shortBytes
  readonly #path: string
  readonly #handle: FileHandle
  readonly #stretches: Stretch[] = []
  #pending = ''
  #written = 0
  #latest = { file: -1, line: 0 }
  #isFinished = false

  private constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  static async open(path: string): Promise<OrderedLines> {
    return new OrderedLines(path, await open(path, 'w'))
  }

  /** @param fields what stands behind the number of the line. */
  async add(file: number, line: number, fields: string): Promise<void> {
    const { file: latest, line: before } = this.#latest
    if (file !== latest || line < before) {
      await this.#flush()
      this.#stretches.push({ file, start: this.#written })
    }
    this.#latest = { file, line }
    const text = `${line}${flatDelimiter}${fields}\n`
    // A character has at most three bytes for each unit of a text.
    if (3 * text.length > shortBytes) this.longest = Math.max(this.longest, Buffer.byteLength(text))
    this.#pending += text
    if (this.#pending.length >= blockLength) await this.#flush()
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending)
    this.#pending = ''
    await this.#handle.appendFile(bytes)
    this.#written += bytes.length
  }

  /** Puts them in order: by the file, then by its lines, then as they were added. There can be no others after that. */
  async finish(): Promise<void> {
    if (this.#isFinished) return
    this.#isFinished = true
    await this.#flush()
    await this.#handle.close()
    const files = this.#stretches.map(({ file }) => file)
    if (files.every((file, i) => i === 0 || file > (files[i - 1] ?? 0))) return
    const ordered = `${this.#path}.ordered`
    await this.#writeInOrder(ordered)
    await rename(ordered, this.#path)
  }

  async #writeInOrder(path: string): Promise<void> {
    await using target = await open(path, 'w')
    const ranges = this.#stretches.map(({ file, start }, i) => {
      return { file, start, end: this.#stretches[i + 1]?.start ?? this.#written }
    })
    const byFile = [...Map.groupBy(ranges, ({ file }) => file)].toSorted(([one], [other]) => one - other)
    let block: Buffer[] = []
    let length = 0
    const flush = async () => {
      await target.appendFile(Buffer.concat(block))
      block = []
      length = 0
    }
    for (const [, stretches] of byFile) {
      for await (const line of merged(stretches.map(({ start, end }) => linesOf(this.#path, start, end)))) {
        block.push(line)
        length += line.length
        if (length >= blockLength) await flush()
      }
    }
    await flush()
  }

  /** All of them, finished, without their ends. */
  async *read(): AsyncGenerator<string> {
    for await (const line of linesOf(this.#path, 0, this.#written)) yield line.toString('utf8', 0, line.length - 1)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** The lines of one file, from all its stretches; of the same line of the file, those that were added first. */
async function* merged(stretches: readonly AsyncGenerator<Buffer, undefined>[]): AsyncGenerator<Buffer> {
  const heads = await Promise.all(stretches.map(async (lines) => (await lines.next()).value))
  for (;;) {
    let least = -1
    for (const [i, head] of heads.entries()) {
      if (head !== undefined && (least < 0 || numberOf(head) < numberOf(heads[least]))) least = i
    }
    const line = heads[least]
    if (line === undefined) return
    yield line
    heads[least] = (await stretches[least]?.next())?.value
  }
}

/** The number with which it begins. */
function numberOf(line: Buffer | undefined): number {
  return Number.parseInt(line?.toString('latin1', 0, 20) ?? '', 10)
}

/** Lines with their ends. */
async function* linesOf(path: string, start: number, end: number): AsyncGenerator<Buffer, undefined> {
  let bytes = Buffer.alloc(0)
  const blocks = createReadStream(path, { start, end: end - 1, highWaterMark: readBytes })
  for await (const block of blocks as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, block])
    let from = 0
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
      yield bytes.subarray(from, at + 1)
      from = at + 1
    }
    bytes = bytes.subarray(from)
  }
}
