/** Sound records passed on as tabbed text: what has to be known of a file for that, and the passing. */
import { columnEvidence } from './evidence.ts'
import type { Dialect } from './dialect.ts'
import type { Scan } from './halves.ts'
import type { Kernel } from './kernel/kernel.ts'
import { readRecords } from './records.ts'

/** A file whose sound records are wanted. What is none was told before, or will be. */
export interface Passage {
  readonly path: string
  readonly dialect: Dialect
  readonly names: readonly string[]
  /** Where the first record begins: bytes before it, and its line. */
  readonly start: number
  readonly line: number
  /** `columnFlags` by column. */
  readonly flags: readonly number[]
}

/**
 * @param write takes the bytes, which are its own only until it resolves.
 * @param looks whether the cells are looked at on the way; there is no evidence without.
 */
export async function passRecords(
  { path, ...passage }: Passage,
  kernel: Kernel,
  write: (bytes: Buffer) => Promise<void>,
  looks: boolean,
  signal: AbortSignal,
): Promise<Scan> {
  const tally = await readRecords(path, kernel, {
    ...passage,
    output: 'tabbed',
    shapes: looks,
    write,
    onFault: async () => {},
    onProgress: () => {},
    simpleOnly: false,
    signal,
  })
  return { tally, evidence: looks ? passage.names.map((_, column) => columnEvidence(kernel.evidence, column)) : [] }
}
