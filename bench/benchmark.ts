/** What every benchmark is given, and what it is. */
export interface BenchOptions {
  /** Of song plays, where their size is not told in megabytes; of customers. 0: as many as the page tells of. */
  readonly rows: number
  /** Of each file. */
  readonly megabytes: number
  readonly rounds: number
  /** For contenders that take minutes; no more than `rounds`. */
  readonly slowRounds: number
  /** The one database to load into; all without it. */
  readonly only: string | undefined
  /** Whether the page is rewritten. */
  readonly write: boolean
}

export interface BenchContext {
  readonly signal: AbortSignal
  /** Says a line to whoever is watching. */
  readonly say: (line: string) => void
}

export type Benchmark = (options: BenchOptions, context: BenchContext) => Promise<void>
