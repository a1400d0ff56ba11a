/**
 * The strict state machine that says what a record is, byte by byte: RFC 4180 with every kind of line end, and with the
 * dialect's characters. The kernel (`kernel/`) does the same for sound records, 64 bytes at a time; this is what it
 * is measured by, and what takes over wherever there is a fault.
 */
import type { Dialect } from './dialect.ts'

const LF = 0x0a
const CR = 0x0d

export type Outcome =
  | 'record'
  | 'blank'
  | 'comment'
  /** The bytes end before the record does. */
  | 'more'
  /** There is text right behind a closing quote. */
  | 'text-after-quote'
  /** There is a quote inside a value that is not quoted. */
  | 'bare-quote'
  /** The file ends within quotes. */
  | 'open-quote'

/** How a cell is written. */
const cellKinds = { plain: 0, quoted: 1, quotedEscaped: 2, plainEscaped: 3 } as const

export function isQuoted(kind: number | undefined): boolean {
  return kind === cellKinds.quoted || kind === cellKinds.quotedEscaped
}

export class Machine {
  /** Of the latest outcome: where the record ends without and with its line end, and how many lines it has. */
  textEnd = 0
  end = 0
  lines = 0
  /** Of `more`: whether the bytes end within quotes. */
  isOpen = false
  /** Its cells: places of the content, quotes left out. Of a fault: those up to the one at fault, that included. */
  count = 0
  starts = new Int32Array(64)
  ends = new Int32Array(64)
  kinds = new Uint8Array(64)

  readonly #delimiter: Buffer
  readonly #quote: number
  readonly #escape: number
  readonly #comment: number

  constructor({ delimiter, quote, escape, comment }: Dialect) {
    this.#delimiter = Buffer.from(delimiter)
    this.#quote = byteOf(quote)
    this.#escape = quote === null || escape === quote ? -1 : byteOf(escape)
    this.#comment = byteOf(comment)
  }

  /**
   * Takes the record that begins at `from`. `to` is where the bytes end, `last` whether the file ends there.
   * Blank lines and comments are outcomes of their own.
   */
  next(bytes: Uint8Array, from: number, to: number, last: boolean): Outcome {
    this.count = 0
    this.lines = 0
    this.isOpen = false
    if (from >= to) return 'more'
    const first = bytes[from]
    if (first === LF || first === CR) return this.#endLine(bytes, from, to, last, 'blank')
    if (first === this.#comment) return this.#comments(bytes, from, to, last)
    let at = from
    for (;;) {
      const quoted = bytes[at] === this.#quote && at < to
      const outcome = quoted ? this.#quoted(bytes, at, to, last) : this.#plain(bytes, at, to, last)
      if (outcome !== undefined) return outcome
      at = this.end
      const byte = bytes[at]
      if (at >= to || byte === LF || byte === CR) return this.#endLine(bytes, at, to, last, 'record')
      at += this.#delimiter.length
    }
  }

  /** The text of a cell of the latest record. */
  cell(bytes: Buffer, index: number): string {
    const text = bytes.toString('utf8', this.starts[index], this.ends[index])
    const kind = this.kinds[index]
    const quote = String.fromCharCode(this.#quote)
    if (kind === cellKinds.quotedEscaped) return this.#unescaped(text, [quote])
    return kind === cellKinds.plainEscaped ? this.#unescaped(text, [quote, this.#delimiter.toString()]) : text
  }

  cells(bytes: Buffer): string[] {
    return Array.from({ length: this.count }, (_, index) => this.cell(bytes, index))
  }

  /** Leaves `end` at what ends the cell: a delimiter, a line end, or the end of the file. */
  #plain(bytes: Uint8Array, from: number, to: number, last: boolean): Outcome | undefined {
    let kind: number = cellKinds.plain
    for (let at = from; at < to; at++) {
      const byte = bytes[at]
      if (byte === LF || byte === CR) return this.#add(from, at, kind, at)
      if (byte === this.#delimiter[0]) {
        const here = this.#isDelimiter(bytes, at, to, last)
        if (here === undefined) return 'more'
        if (here) return this.#add(from, at, kind, at)
      }
      if (byte === this.#escape && at + 1 < to) {
        const next = bytes[at + 1]
        const delimits = next === this.#delimiter[0] ? this.#isDelimiter(bytes, at + 1, to, last) : false
        if (delimits === undefined) return 'more'
        if (delimits || next === this.#escape || next === this.#quote) {
          kind = cellKinds.plainEscaped
          at += delimits ? this.#delimiter.length : 1
        }
      } else if (byte === this.#quote) {
        this.#add(from, at, kind, at)
        return 'bare-quote'
      }
    }
    return last ? this.#add(from, to, kind, to) : 'more'
  }

  #quoted(bytes: Uint8Array, from: number, to: number, last: boolean): Outcome | undefined {
    let kind: number = cellKinds.quoted
    for (let at = from + 1; at < to; at++) {
      const byte = bytes[at]
      if (byte === LF || (byte === CR && bytes[at + 1] !== LF)) this.lines++
      const doubles = this.#escape < 0 && byte === this.#quote
      if (doubles || byte === this.#escape) {
        if (at + 1 >= to && !last) return 'more'
        const next = at + 1 < to ? bytes[at + 1] : -1
        if (next === this.#quote || (next === this.#escape && !doubles)) {
          kind = cellKinds.quotedEscaped
          at++
          continue
        }
      }
      if (byte !== this.#quote) continue
      this.#add(from + 1, at, kind, at + 1)
      return this.#isCellEnd(bytes, at + 1, to, last)
    }
    this.isOpen = true
    if (!last) return 'more'
    this.#add(from + 1, to, kind, to)
    return 'open-quote'
  }

  #isCellEnd(bytes: Uint8Array, at: number, to: number, last: boolean): Outcome | undefined {
    if (at >= to) return last ? undefined : 'more'
    const byte = bytes[at]
    if (byte === LF || byte === CR) return undefined
    const here = byte === this.#delimiter[0] ? this.#isDelimiter(bytes, at, to, last) : false
    if (here === undefined) return 'more'
    return here ? undefined : 'text-after-quote'
  }

  /** Undefined when the bytes end before it can be told. */
  #isDelimiter(bytes: Uint8Array, at: number, to: number, last: boolean): boolean | undefined {
    for (let i = 1; i < this.#delimiter.length; i++) {
      if (at + i >= to) return last ? false : undefined
      if (bytes[at + i] !== this.#delimiter[i]) return false
    }
    return true
  }

  #comments(bytes: Uint8Array, from: number, to: number, last: boolean): Outcome {
    let at = from
    while (at < to && bytes[at] !== LF && bytes[at] !== CR) at++
    if (at >= to && !last) return 'more'
    return this.#endLine(bytes, at, to, last, 'comment')
  }

  #endLine(bytes: Uint8Array, at: number, to: number, last: boolean, outcome: Outcome): Outcome {
    this.textEnd = at
    // A CR at the end of the bytes may be half of a CRLF.
    if (bytes[at] === CR && at + 1 >= to && at < to && !last) return 'more'
    const width = at >= to ? 0 : bytes[at] === CR && at + 1 < to && bytes[at + 1] === LF ? 2 : 1
    this.end = at + width
    this.lines++
    return outcome
  }

  /** What is escaped becomes itself; an escape before anything else is text. */
  #unescaped(text: string, special: readonly string[]): string {
    const escape = String.fromCharCode(this.#escape < 0 ? this.#quote : this.#escape)
    const escaped = [escape, ...special]
    let plain = ''
    let from = 0
    for (let at = text.indexOf(escape); at >= 0; at = text.indexOf(escape, at)) {
      const next = escaped.find((one) => text.startsWith(one, at + 1))
      if (next !== undefined) {
        plain += text.slice(from, at)
        from = at + 1
      }
      at += 1 + (next?.length ?? 0)
    }
    return plain + text.slice(from)
  }

  #add(start: number, end: number, kind: number, next: number): undefined {
    if (this.count === this.starts.length) this.#grow()
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.kinds[this.count] = kind
    this.count++
    this.end = next
  }

  #grow(): void {
    const length = this.starts.length * 2
    const grown = <T extends Int32Array | Uint8Array>(old: T, larger: T): T => {
      larger.set(old)
      return larger
    }
    this.starts = grown(this.starts, new Int32Array(length))
    this.ends = grown(this.ends, new Int32Array(length))
    this.kinds = grown(this.kinds, new Uint8Array(length))
  }
}

function byteOf(char: string | null): number {
  return char === null ? -1 : char.charCodeAt(0)
}
