/** What every benchmark is given, and what it is. */
export interface BenchOptions {
  readonly rows: number
  readonly rounds: number
  /** Whether the page is rewritten. */
  readonly write: boolean
}

export interface BenchContext {
  readonly signal: AbortSignal
  /** Says a line to whoever is watching. */
  readonly say: (line: string) => void
}

export type Benchmark = (options: BenchOptions, context: BenchContext) => Promise<void>
