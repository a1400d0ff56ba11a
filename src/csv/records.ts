/**
 * A file's records, all of them: the kernel takes those that are plain, the machine the others, and what is no record
 * is told as a fault, with its place. Sound records are counted, their cells' shapes noted, and written as asked.
 */
import { open } from 'node:fs/promises'
import type { RejectCode } from '../model.ts'
import type { Dialect } from './dialect.ts'
import { note } from './evidence.ts'
import type { Fault } from './fault.ts'
import type { Kernel, Output, Stop } from './kernel/kernel.ts'
import { isQuoted, Machine, type Outcome } from './machine.ts'
import { type Break, recover } from './recover.ts'
import { longestShaped } from './shapes.ts'
import { Window } from './window.ts'
import { type Place, suitsKernel, writeRecord } from './write.ts'

/** Bytes a record may have. */
export const longestRecord = 16 << 20
/** Output is handed on when there is this much of it. */
const flushBytes = 1 << 20

export interface RecordsOptions {
  readonly dialect: Dialect
  /** Of the columns, for messages. A sound record has as many cells. */
  readonly names: readonly string[]
  /** Where the first record begins: bytes before it, and its line. */
  readonly start: number
  readonly line: number
  /** Where to end, if not with the file: behind some line end. */
  readonly end?: number
  readonly output: Output
  readonly shapes: boolean
  /** Takes the output; the bytes are its own only until it resolves. */
  readonly write: (bytes: Buffer) => Promise<void>
  /** Told in the order of the file. */
  readonly onFault: (fault: Fault) => Promise<void>
  readonly onProgress: (bytes: number) => void
  /** Ends the reading once the file is known not to be simple; the tally is then of no use. */
  readonly simpleOnly: boolean
  readonly signal: AbortSignal
  /** Read at once; for tests. */
  readonly blockBytes?: number
}

/** Lines by what ends them; the last one may have no end. */
export interface LineEnds {
  readonly lf: number
  readonly crlf: number
  readonly cr: number
}

export interface Tally {
  /** Records seen, the rejected ones included. */
  readonly records: number
  readonly rejected: number
  readonly blankLines: number
  readonly comments: number
  readonly lineEnds: LineEnds
  /** No quote, fault, blank line or control character anywhere: records are lines, whoever counts them. */
  readonly isSimple: boolean
  /** Bytes of the longest record without its line end, and of the longest line written. */
  readonly longestRecord: number
  readonly longestWritten: number
  /** Whether the flat copy holds escapes. */
  readonly escaped: boolean
}

export async function readRecords(path: string, kernel: Kernel, options: RecordsOptions): Promise<Tally> {
  await using window = new Window(await open(path), kernel.input, options.start, options.end, options.blockBytes)
  return await new Reader(kernel, window, options).read()
}

class Reader {
  readonly #kernel: Kernel
  readonly #window: Window
  readonly #options: RecordsOptions
  readonly #machine: Machine
  readonly #byKernel: boolean
  #rejected = 0
  #blankLines = 0
  #comments = 0
  /** The last record may have no line end. */
  #unended = 0
  #handed = 0
  #escaped = false

  constructor(kernel: Kernel, window: Window, options: RecordsOptions) {
    const { dialect, names, output, shapes, line } = options
    this.#kernel = kernel
    this.#window = window
    this.#options = options
    this.#machine = new Machine(dialect)
    this.#byKernel = suitsKernel(dialect, output)
    // A double quote that is no quote here, but would be one in the output, is the machine's.
    const strange = output === 'clean' && dialect.quote === null ? 0x22 : 0
    kernel.reset()
    kernel.configure({
      columns: names.length,
      delimiter: dialect.delimiter.charCodeAt(0),
      quote: dialect.quote?.charCodeAt(0) ?? 0,
      strange,
      output,
      shapes,
    })
    kernel.set('line', line)
  }

  async read(): Promise<Tally> {
    const { simpleOnly } = this.#options
    const kernel = this.#kernel
    const window = this.#window
    let at = await this.#more(0)
    for (;;) {
      const stop = this.#byKernel ? this.#run(at) : 'stopped'
      if (this.#byKernel) at = Math.min(kernel.get('position'), window.length)
      if (stop === 'full' || kernel.get('written') >= flushBytes) await this.#flush()
      if (stop === 'full') continue
      if (at >= window.length && window.ended) break
      // What the kernel has left at the end of the window may be plain once there is more.
      const mayGrow = stop === 'ended' && !window.ended && window.soundTo + 4 > window.length
      if (at >= window.length || (mayGrow && window.length - at < longestRecord)) {
        if (simpleOnly && !this.#isSimple()) break
        at = await this.#more(at)
      } else if (simpleOnly) {
        this.#handed++
        break
      } else {
        at = await this.#takeOne(at)
      }
    }
    await this.#flush()
    return this.#tally()
  }

  #run(at: number): Stop {
    const { bytes, length, soundTo, ended, offset } = this.#window
    this.#kernel.set('position', at)
    this.#kernel.set('byteBase', offset)
    // The last line of a file may lack its end; the kernel shall not mind.
    const last = bytes[length - 1]
    const lacksEnd = ended && at < length && soundTo === length && last !== 0x0a && last !== 0x0d
    if (!lacksEnd) return this.#kernel.run(Math.min(length, soundTo))
    bytes[length] = 0x0a
    const stop = this.#kernel.run(length + 1)
    if (this.#kernel.get('position') > length) this.#unended = 1
    return stop
  }

  async #more(at: number): Promise<number> {
    const { signal, onProgress, start } = this.#options
    signal.throwIfAborted()
    const moved = await this.#window.more(at)
    onProgress(this.#window.offset + this.#window.length - start)
    return moved
  }

  /** The record that the kernel has stopped before; returns where the next one begins. */
  async #takeOne(from: number): Promise<number> {
    const window = this.#window
    let at = from
    for (;;) {
      const outcome = this.#machine.next(window.bytes, at, window.length, window.ended)
      if (outcome !== 'more') return await this.#settle(at, outcome)
      if (window.length - at >= longestRecord)
        return await this.#breakOff(at, this.#machine.isOpen ? 'open-too-long' : 'too-long')
      at = await this.#more(at)
    }
  }

  async #settle(at: number, outcome: Outcome): Promise<number> {
    const machine = this.#machine
    const { bytes } = this.#window
    if (outcome === 'blank' || outcome === 'comment') {
      this.#handed++
      if (outcome === 'blank') this.#blankLines++
      else this.#comments++
      this.#countEnd(machine.textEnd, machine.end)
      this.#pass(machine.lines)
      return machine.end
    }
    if (outcome !== 'record') return await this.#breakOff(at, outcome)
    if (machine.end - at > longestRecord) return await this.#breakOff(at, 'too-long')
    const { textEnd, end } = machine
    const fault = this.#faultOf(at)
    if (fault !== undefined) await this.#reject(this.#place(at, textEnd - at), fault, machine.cells(bytes))
    else await this.#accept(at)
    this.#countEnd(textEnd, end)
    this.#pass(machine.lines)
    if (this.#window.soundTo < end) this.#window.judge(end)
    return end
  }

  /** Why a record that could be split cannot be taken all the same. */
  #faultOf(at: number): Problem | undefined {
    const machine = this.#machine
    const { names } = this.#options
    const { bytes } = this.#window
    const nul = bytes.subarray(at, machine.textEnd).indexOf(0)
    if (nul >= 0) return { code: 'nul-byte', column: this.#columnAt(at + nul), message: 'there is a NUL byte in it' }
    if (!this.#window.isSound(at, machine.textEnd)) {
      return {
        code: 'encoding-error',
        column: null,
        message: 'there are bytes in it that are not text in the file’s encoding',
      }
    }
    if (machine.count === names.length) return undefined
    const message = `the record has ${machine.count} of the header’s ${names.length} cells`
    return machine.count < names.length
      ? { code: 'missing-cell', column: names[machine.count] ?? null, message }
      : { code: 'extra-cell', column: null, message }
  }

  #columnAt(place: number): string | null {
    return (
      this.#options.names[this.#machine.ends.subarray(0, this.#machine.count).findIndex((end) => place < end)] ?? null
    )
  }

  async #accept(at: number): Promise<void> {
    const { output, shapes } = this.#options
    const machine = this.#machine
    const kernel = this.#kernel
    const { bytes } = this.#window
    const line = kernel.get('line')
    if (shapes) {
      for (let i = 0; i < machine.count; i++) {
        const length = (machine.ends[i] ?? 0) - (machine.starts[i] ?? 0)
        const text = length > longestShaped ? '' : machine.cell(bytes, i)
        note(kernel.evidence, i, text, length, isQuoted(machine.kinds[i]), line)
      }
    }
    const text = writeRecord(output, machine, bytes, this.#place(at, machine.textEnd - at))
    const written = kernel.get('written')
    const length = kernel.output.write(text, written)
    kernel.set('written', written + length)
    kernel.set('longestWritten', Math.max(kernel.get('longestWritten'), length))
    kernel.set('longestRecord', Math.max(kernel.get('longestRecord'), machine.textEnd - at))
    this.#escaped ||= text.includes('\u001b')
    kernel.set('records', kernel.get('records') + 1)
    this.#handed++
    if (kernel.get('written') >= flushBytes) await this.#flush()
  }

  /** A record that cannot be split. */
  async #breakOff(at: number, fault: Break): Promise<number> {
    const { names, dialect } = this.#options
    const isLong = fault === 'too-long' || fault === 'open-too-long'
    const column = isLong ? null : (names[this.#machine.count - 1] ?? null)
    const place = this.#place(at, 0)
    const recovery = await recover(at, fault, {
      window: this.#window,
      machine: this.#machine,
      columns: names.length,
      delimiter: Buffer.from(dialect.delimiter),
      quote: dialect.quote?.charCodeAt(0) ?? 0,
    })
    const code = isLong ? 'long-record' : 'quote-error'
    const on = recovery.lines > 1 ? `; reading goes on at line ${place.line + recovery.lines}` : ''
    const message = `${explanations[fault] ?? fault}${on}`
    await this.#reject({ ...place, byteLength: recovery.byteLength }, { code, column, message }, null)
    this.#countEnd(recovery.end, recovery.next)
    this.#pass(recovery.lines)
    if (this.#window.soundTo < recovery.next) this.#window.judge(recovery.next)
    return recovery.next
  }

  async #reject(place: Place, { code, column, message }: Problem, cells: string[] | null): Promise<void> {
    this.#rejected++
    this.#handed++
    await this.#options.onFault({ ...place, column, code, message, cells })
    this.#kernel.set('records', this.#kernel.get('records') + 1)
  }

  #place(at: number, byteLength: number): Place {
    const kernel = this.#kernel
    const byteOffset = this.#window.offset + at
    return { line: kernel.get('line'), byteOffset, byteLength, record: kernel.get('records') + 1 }
  }

  #pass(lines: number): void {
    this.#kernel.set('line', this.#kernel.get('line') + lines)
  }

  #countEnd(textEnd: number, end: number): void {
    const kernel = this.#kernel
    if (end - textEnd === 2) kernel.set('crlfEnds', kernel.get('crlfEnds') + 1)
    else if (end > textEnd && this.#window.bytes[textEnd] === 0x0d) kernel.set('crEnds', kernel.get('crEnds') + 1)
    else if (end === textEnd) this.#unended = 1
  }

  async #flush(): Promise<void> {
    const written = this.#kernel.get('written')
    if (written > 0) await this.#options.write(this.#kernel.output.subarray(0, written))
    this.#kernel.set('written', 0)
  }

  #isSimple(): boolean {
    return this.#handed === 0 && this.#kernel.get('sawQuotes') === 0
  }

  #tally(): Tally {
    const kernel = this.#kernel
    const [records, crlf, cr] = [kernel.get('records'), kernel.get('crlfEnds'), kernel.get('crEnds')]
    return {
      records,
      rejected: this.#rejected,
      blankLines: this.#blankLines,
      comments: this.#comments,
      lineEnds: { lf: records + this.#blankLines + this.#comments - crlf - cr - this.#unended, crlf, cr },
      isSimple: this.#isSimple(),
      longestRecord: kernel.get('longestRecord'),
      longestWritten: kernel.get('longestWritten'),
      escaped: this.#escaped || kernel.get('escaped') !== 0,
    }
  }
}

interface Problem {
  readonly code: RejectCode
  readonly column: string | null
  readonly message: string
}

const explanations: Readonly<Partial<Record<Break, string>>> = {
  'open-quote': 'a quote is opened and never closed',
  'text-after-quote': 'there is text right behind a closing quote; a quote inside a quoted value must be doubled',
  'bare-quote': 'there is a quote inside a value that is not quoted; quote the whole value and double the quote',
  'too-long': `the record is longer than ${longestRecord >> 20} MiB, which is the most`,
  'open-too-long': `the record is longer than ${longestRecord >> 20} MiB, which is the most; perhaps a quote is never closed`,
}
