/** The kernel's side of the host: its memory, and what it is told. `assembly/kernel.ts` is what runs. */
import { readFile } from 'node:fs/promises'
import type { Dialect } from '../dialect.ts'
import { type EvidenceArrays, shapeSlots } from '../evidence.ts'

/**
 * What is written of each record: nothing; clean CSV; a line of the flat copy (`flat.ts`), without or with the record's
 * place; a line of tabbed text (`tabbed.ts`).
 */
const outputs = { nothing: 0, clean: 1, flat: 2, placed: 3, tabbed: 4 } as const
export type Output = keyof typeof outputs

/** What may be said of how a column is written, as bits. */
export const columnFlags = {
  /** An empty cell in quotes is an empty text, and not the same as nothing: in the flat copy and in tabbed text. */
  keepEmpty: 1,
  /** It is not written: in tabbed text. */
  leaveOut: 2,
} as const

/** Why it stopped: the bytes ended, what comes next is for the machine, or the output is full. */
export type Stop = 'ended' | 'stopped' | 'full'
const stops: readonly Stop[] = ['ended', 'stopped', 'full']

export interface KernelOptions {
  /** Cells that a sound record has. */
  readonly columns: number
  /** One that suits the kernel. */
  readonly dialect: Dialect
  readonly output: Output
  /** Whether to note the shapes of cells. */
  readonly shapes: boolean
  /** `columnFlags` by column; none where there is no entry. */
  readonly flags?: ArrayLike<number>
}

/** Addresses in its memory, and sizes. */
type Layout =
  | 'countsAt'
  | 'firstsAt'
  | 'longestAt'
  | 'wholeAt'
  | 'fractionAt'
  | 'escapedAt'
  | 'columnFlagsAt'
  | 'inputAt'
  | 'inputBytes'
  | 'outputAt'
  | 'outputBytes'
/** See `assembly/kernel.ts`. */
const state = [
  'position',
  'byteBase',
  'records',
  'blankLines',
  'line',
  'crEnds',
  'crlfEnds',
  'longestRecord',
  'sawSpecials',
  'written',
  'longestWritten',
] as const
type State = (typeof state)[number]

type Exports = Readonly<Record<Layout | State, WebAssembly.Global>> & {
  readonly memory: WebAssembly.Memory
  configure(
    columns: number,
    delimiter: number,
    quote: number,
    escape: number,
    comment: number,
    output: number,
    shapes: number,
  ): void
  run(end: number): number
}

/** Whether the kernel can read a dialect: one whose delimiter is one byte. */
export function suitsKernel({ delimiter }: Dialect): boolean {
  return Buffer.byteLength(delimiter) === 1
}

/** Columns that the kernel has room for, as `assembly/kernel.ts` has it. */
export const mostColumns = 4096

export class Kernel {
  /** Offsets of records count in this. */
  readonly input: Buffer
  readonly output: Buffer
  readonly evidence: EvidenceArrays
  /** By column, 1 when some cell of it is written with escapes. */
  readonly escaped: Uint8Array
  /** By column, as configured. */
  readonly flags: Uint8Array
  readonly #exports: Exports

  private constructor(exports: Exports) {
    this.#exports = exports
    const { buffer } = exports.memory
    const at = (name: Layout): number => exports[name].value
    const slots = mostColumns * shapeSlots
    this.input = Buffer.from(buffer, at('inputAt'), at('inputBytes'))
    this.output = Buffer.from(buffer, at('outputAt'), at('outputBytes'))
    this.escaped = new Uint8Array(buffer, at('escapedAt'), mostColumns)
    this.flags = new Uint8Array(buffer, at('columnFlagsAt'), mostColumns)
    this.evidence = {
      counts: new Float64Array(buffer, at('countsAt'), slots),
      firstLines: new Float64Array(buffer, at('firstsAt'), slots),
      longest: new Uint32Array(buffer, at('longestAt'), mostColumns),
      wholeDigits: new Uint8Array(buffer, at('wholeAt'), mostColumns),
      fractionDigits: new Uint8Array(buffer, at('fractionAt'), mostColumns),
    }
  }

  static async load(): Promise<Kernel> {
    const bytes = await readFile(new URL('kernel.wasm', import.meta.url))
    const { instance } = await WebAssembly.instantiate(bytes)
    return new Kernel(instance.exports as Exports)
  }

  configure({ columns, dialect, output, shapes, flags = [] }: KernelOptions): void {
    const { delimiter, quote, escape, comment } = dialect
    // 0 stands for what the dialect does not have; without an escape of its own, a quote is escaped by another.
    const byteOf = (char: string | null) => char?.charCodeAt(0) ?? 0
    const ownEscape = quote === null || escape === quote ? null : escape
    this.flags.fill(0)
    this.flags.set(flags)
    this.#exports.configure(
      columns,
      delimiter.charCodeAt(0),
      byteOf(quote),
      byteOf(ownEscape),
      byteOf(comment),
      outputs[output],
      Number(shapes),
    )
  }

  /** Forgets all that it has counted. */
  reset(): void {
    for (const name of state) this.set(name, 0)
    for (const array of [...Object.values(this.evidence), this.escaped]) array.fill(0)
  }

  /** Takes sound records and blank lines from `position` on, which then is where the first one begins that it has not taken. */
  run(end: number): Stop {
    return stops[this.#exports.run(end)] ?? 'stopped'
  }

  get(name: State): number {
    return this.#exports[name].value
  }

  add(name: State, more: number): void {
    this.set(name, this.get(name) + more)
  }

  set(name: State, value: number): void {
    this.#exports[name].value = value
  }
}
