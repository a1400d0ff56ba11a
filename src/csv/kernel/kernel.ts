/** The kernel's side of the host: its memory, and what it is told. `assembly/kernel.ts` is what runs. */
import { readFile } from 'node:fs/promises'
import { type EvidenceArrays, shapeSlots } from '../evidence.ts'

/** What is written of each record: nothing; clean CSV; a line of the flat copy, without or with the record's place. */
const outputs = { nothing: 0, clean: 1, flat: 2, placed: 3 } as const
export type Output = keyof typeof outputs

/** Why it stopped: the bytes ended, the next record is not plain, or the output is full. */
export type Stop = 'ended' | 'stopped' | 'full'
const stops: readonly Stop[] = ['ended', 'stopped', 'full']

export interface KernelOptions {
  /** Cells that a sound record has. */
  readonly columns: number
  /** Single bytes; a `quote` of 0: there is none. `strange` is one more byte to stop at, 0 for none. */
  readonly delimiter: number
  readonly quote: number
  readonly strange: number
  readonly output: Output
  /** Whether to note the shapes of cells. */
  readonly shapes: boolean
}

type Numbers =
  | 'mostColumns'
  | 'countsAt'
  | 'firstsAt'
  | 'longestAt'
  | 'wholeAt'
  | 'fractionAt'
  | 'inputAt'
  | 'inputBytes'
  | 'outputAt'
  | 'outputBytes'
/** See `assembly/kernel.ts`. */
const state = [
  'position',
  'byteBase',
  'records',
  'line',
  'crEnds',
  'crlfEnds',
  'longestRecord',
  'sawQuotes',
  'written',
  'longestWritten',
  'escaped',
] as const
type State = (typeof state)[number]

type Exports = Readonly<Record<Numbers | State, WebAssembly.Global>> & {
  readonly memory: WebAssembly.Memory
  configure(columns: number, delimiter: number, quote: number, strange: number, output: number, shapes: number): void
  run(end: number): number
}

/** Columns that the kernel has room for. */
export const mostColumns = 4096

export class Kernel {
  /** Offsets of records count in this. */
  readonly input: Buffer
  readonly output: Buffer
  readonly evidence: EvidenceArrays
  readonly #exports: Exports

  private constructor(exports: Exports) {
    this.#exports = exports
    const { buffer } = exports.memory
    const at = (name: Numbers): number => exports[name].value
    const slots = mostColumns * shapeSlots
    this.input = Buffer.from(buffer, at('inputAt'), at('inputBytes'))
    this.output = Buffer.from(buffer, at('outputAt'), at('outputBytes'))
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

  configure({ columns, delimiter, quote, strange, output, shapes }: KernelOptions): void {
    this.#exports.configure(columns, delimiter, quote, strange, outputs[output], Number(shapes))
  }

  /** Forgets all that it has counted. */
  reset(): void {
    for (const name of state) this.set(name, 0)
    for (const array of Object.values(this.evidence)) array.fill(0)
  }

  /** Takes plain records from `position` on, which then is where the first one begins that it has not taken. */
  run(end: number): Stop {
    return stops[this.#exports.run(end)] ?? 'stopped'
  }

  get(name: State): number {
    return this.#exports[name].value
  }

  set(name: State, value: number): void {
    this.#exports[name].value = value
  }
}
