import { createReadStream } from 'node:fs'

/** Where the reading stands, told by the raw text of the records, so that every byte of the file is accounted for. */
export class Position {
  byteOffset: number
  line = 1
  blankLines = 0
  #afterCr = false

  constructor(start: number) {
    this.byteOffset = start
  }

  /** Takes one record with the blank lines before it; says where the record itself begins and how long it is. */
  advance(raw: string): { line: number; byteOffset: number; byteLength: number } {
    let at = 0
    // A CRLF can come apart: its CR ends one record, its LF then leads the next and is no line of its own.
    if (this.#afterCr && raw[0] === '\n') {
      at = 1
      this.byteOffset++
    }
    while (raw[at] === '\n' || raw[at] === '\r') {
      const width = raw[at] === '\r' && raw[at + 1] === '\n' ? 2 : 1
      at += width
      this.byteOffset += width
      this.blankLines++
      this.line++
    }
    const text = raw.slice(at)
    const place = { line: this.line, byteOffset: this.byteOffset, byteLength: Buffer.byteLength(trimEnd(text)) }
    this.line += text.includes('"') ? countLineEnds(text) : 1
    this.byteOffset += Buffer.byteLength(text)
    this.#afterCr = text.endsWith('\r')
    return place
  }

  /** What follows the last record is line ends and nothing else: each is a blank line. */
  async blankTail(path: string): Promise<number> {
    let lines = 0
    let afterCr = this.#afterCr
    for await (const chunk of createReadStream(path, { start: this.byteOffset, encoding: 'latin1' })) {
      const text = String(chunk)
      // The LF of a CRLF that lies on the seam is no line of its own.
      lines += countLineEnds(text) - (afterCr && text.startsWith('\n') ? 1 : 0)
      afterCr = text.endsWith('\r')
    }
    return lines
  }
}

/** A record without the line end behind it. */
export function trimEnd(text: string): string {
  return text.replace(/(\r\n|\n|\r)$/, '')
}

export function countLineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0
}
