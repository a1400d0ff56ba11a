/**
 * A file's records, all of them: the kernel takes the sound ones, the machine what is left over, and what is no record is
 * told as a fault, with its place. Sound records are counted, their cells' shapes noted, and written as asked.
 */
import { open } from 'node:fs/promises'
import type { Dialect } from './dialect.ts'
import { note } from './evidence.ts'
import type { Fault, Place } from './fault.ts'
import { type Kernel, type Output, type Stop, suitsKernel } from './kernel/kernel.ts'
import { isQuoted, Machine, type Outcome } from './machine.ts'
import { type Break, type LineEnd, lineEndAt, recover } from './recover.ts'
import { longestShaped } from './shapes.ts'
import { Window } from './window.ts'
import { writeRecord } from './write.ts'

/** Bytes that a record may have, and what is needed to see that it ends there. */
export const longestRecord = 16 << 20
const enough = longestRecord + 2
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
  /** `columnFlags` by column, for what is written; none where there is no entry. */
  readonly flags?: ArrayLike<number>
  readonly shapes: boolean
  /** Takes the output, a piece at a time, while reading goes on. The bytes are its own only until it resolves. */
  readonly write: (bytes: Buffer) => Promise<void>
  /** Told in the order of the file. */
  readonly onFault: (fault: Fault) => Promise<void>
  readonly onProgress: (bytes: number) => void
  /** Ends the reading once the file is known not to be simple; the tally is then of no use. */
  readonly simpleOnly: boolean
  readonly signal: AbortSignal
  /** For tests: how much is read at once, and whether the kernel is left out. */
  readonly blockBytes?: number
  readonly onlyMachine?: boolean
}

/** Records, blank lines and comments by what ends them; the last one may have no end. */
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
  /** The physical line behind the last record. */
  readonly endLine: number
  /** By column, whether some cell in the flat copy is written with escapes. */
  readonly escaped: readonly boolean[]
}

export async function readRecords(path: string, kernel: Kernel, options: RecordsOptions): Promise<Tally> {
  await using window = new Window(await open(path), kernel.input, options.start, options.end, options.blockBytes)
  return await new Reader(kernel, window, options).read()
}

/** Line, records and output are counted in the kernel, which goes on with them; the machine adds to the same counts. */
class Reader {
  readonly #kernel: Kernel
  readonly #window: Window
  readonly #options: RecordsOptions
  readonly #machine: Machine
  readonly #byKernel: boolean
  #rejected = 0
  #comments = 0
  /** The last record may have no line end. */
  #unended = 0
  /** Whether the kernel has stopped before something that was not for it. */
  #isHelped = false
  /** What is being written. */
  #copy = Buffer.alloc(0)
  #writing: Promise<void> = Promise.resolve()

  constructor(kernel: Kernel, window: Window, options: RecordsOptions) {
    const { dialect, names, output, flags = [], shapes, line } = options
    this.#kernel = kernel
    this.#window = window
    this.#options = options
    this.#machine = new Machine(dialect)
    this.#byKernel = suitsKernel(dialect) && options.onlyMachine !== true
    kernel.reset()
    kernel.configure({ columns: names.length, dialect, output, flags, shapes })
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
      // What the kernel has left at the end of the window may be for it once there is more.
      const mayGrow = stop === 'ended' && !window.ended && window.soundTo + 4 > window.length
      if (at >= window.length || (mayGrow && window.length - at < enough)) {
        if (simpleOnly && !this.#isSimple()) break
        at = await this.#more(at)
      } else if (simpleOnly) {
        this.#isHelped = true
        break
      } else {
        at = await this.#takeOne(at)
      }
    }
    await this.#flush()
    await this.#writing
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
      const seen = window.length - at
      if (seen >= enough) return await this.#breakOff(at, this.#machine.isOpen ? 'open-too-long' : 'too-long')
      // The machine begins anew each time, so it is given twice as much.
      while (!window.ended && window.length - at < Math.min(2 * seen, enough)) at = await this.#more(at)
    }
  }

  async #settle(at: number, outcome: Outcome): Promise<number> {
    const machine = this.#machine
    const { bytes } = this.#window
    if (outcome === 'blank' || outcome === 'comment') {
      if (outcome === 'comment') this.#comments++
      else this.#kernel.add('blankLines', 1)
      this.#pass(machine.lines, lineEndAt(bytes, machine.textEnd, machine.end))
      return machine.end
    }
    if (outcome !== 'record') return await this.#breakOff(at, outcome)
    if (machine.textEnd - at > longestRecord) return await this.#breakOff(at, 'too-long')
    const { textEnd, end } = machine
    const fault = this.#faultOf(at)
    const cells = fault === undefined || fault.code === 'encoding-error' ? null : machine.cells(bytes)
    if (fault !== undefined) await this.#reject({ ...this.#place(at, textEnd - at), ...fault, cells })
    else await this.#accept(at)
    this.#pass(machine.lines, lineEndAt(bytes, textEnd, end))
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
    const text = writeRecord(output, machine, bytes, this.#place(at, machine.textEnd - at), kernel)
    const written = kernel.get('written')
    const length = kernel.output.write(text, written)
    kernel.set('written', written + length)
    kernel.set('longestWritten', Math.max(kernel.get('longestWritten'), length))
    kernel.set('longestRecord', Math.max(kernel.get('longestRecord'), machine.textEnd - at))
    kernel.add('records', 1)
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
      longest: longestRecord,
      dialect,
    })
    const code = isLong ? 'long-record' : 'quote-error'
    const on = recovery.lines > 1 ? `; reading goes on at line ${place.line + recovery.lines}` : ''
    const message = `${explanations[fault] ?? fault}${on}`
    await this.#reject({ ...place, byteLength: recovery.byteLength, code, column, message, cells: null })
    this.#pass(recovery.lines, recovery.lineEnd)
    if (this.#window.soundTo < recovery.next) this.#window.judge(recovery.next)
    return recovery.next
  }

  async #reject(fault: Fault): Promise<void> {
    this.#rejected++
    await this.#options.onFault(fault)
    this.#kernel.add('records', 1)
  }

  #place(at: number, byteLength: number): Place {
    const kernel = this.#kernel
    const byteOffset = this.#window.offset + at
    return { line: kernel.get('line'), byteOffset, byteLength, record: kernel.get('records') + 1 }
  }

  /** Lines that the machine has taken, or that were passed over, and what ends the last of them. */
  #pass(lines: number, lineEnd: LineEnd): void {
    const kernel = this.#kernel
    this.#isHelped = true
    kernel.add('line', lines)
    if (lineEnd === 'crlf') kernel.add('crlfEnds', 1)
    if (lineEnd === 'cr') kernel.add('crEnds', 1)
    if (lineEnd === 'none') this.#unended = 1
  }

  /** Hands on a copy, so that the disk and the kernel work at the same time. */
  async #flush(): Promise<void> {
    const written = this.#kernel.get('written')
    if (written === 0) return
    await this.#writing
    if (this.#copy.length < written) this.#copy = Buffer.allocUnsafe(written)
    this.#kernel.output.copy(this.#copy, 0, 0, written)
    this.#writing = this.#options.write(this.#copy.subarray(0, written))
    // Whoever waits for it is told; until then nobody is.
    this.#writing.catch(() => undefined)
    this.#kernel.set('written', 0)
  }

  #isSimple(): boolean {
    return !this.#isHelped && this.#kernel.get('sawSpecials') === 0 && this.#kernel.get('blankLines') === 0
  }

  #tally(): Tally {
    const kernel = this.#kernel
    const [records, blankLines] = [kernel.get('records'), kernel.get('blankLines')]
    const [crlf, cr] = [kernel.get('crlfEnds'), kernel.get('crEnds')]
    return {
      records,
      rejected: this.#rejected,
      blankLines,
      comments: this.#comments,
      lineEnds: { lf: records + blankLines + this.#comments - crlf - cr - this.#unended, crlf, cr },
      isSimple: this.#isSimple(),
      longestRecord: kernel.get('longestRecord'),
      longestWritten: kernel.get('longestWritten'),
      endLine: kernel.get('line'),
      escaped: Array.from(kernel.escaped.subarray(0, this.#options.names.length), (flag) => flag === 1),
    }
  }
}

type Problem = Pick<Fault, 'code' | 'column' | 'message'>

const explanations: Readonly<Partial<Record<Break, string>>> = {
  'open-quote': 'a quote is opened and never closed',
  'text-after-quote': 'there is text right behind a closing quote; a quote inside a quoted value must be doubled',
  'bare-quote': 'there is a quote inside a value that is not quoted; quote the whole value and double the quote',
  'too-long': `the record is longer than ${longestRecord >> 20} MiB, which is the most`,
  'open-too-long': `the record is longer than ${longestRecord >> 20} MiB, which is the most; perhaps a quote is never closed`,
}
