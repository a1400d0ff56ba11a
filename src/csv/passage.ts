/** Sound records passed on as tabbed text: what has to be known of a file for that, and the passing. */
import type { Dialect } from './dialect.ts'
import type { Kernel } from './kernel/kernel.ts'
import { readRecords } from './records.ts'

/** A file whose records were looked at before, so that what is no sound record has been told. */
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

/** @param write takes the bytes, which are its own only until it resolves. */
export async function passRecords(
  { path, ...passage }: Passage,
  kernel: Kernel,
  write: (bytes: Buffer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await readRecords(path, kernel, {
    ...passage,
    output: 'tabbed',
    shapes: false,
    write,
    onFault: async () => {},
    onProgress: () => {},
    simpleOnly: false,
    signal,
  })
}
