/** What contenders say that they have read, brought to the same measure and held against each other. */
import type { BenchFile } from './files.ts'

export interface Reading {
  /** The header is none. */
  readonly records: number
  readonly cells: number | undefined
  /** UTF-8 of all values. */
  readonly bytes: number | undefined
}

/** What a script in `peers/` prints: as much as it knows. */
interface Told {
  readonly records: number
  readonly cells?: number
  readonly bytes?: number
  readonly units?: number
}

/** All that is not ASCII stands in values, so a file and its values have as many more bytes than UTF-16 units. */
export function readingOf(stdout: string, file: BenchFile): Reading {
  const { records, cells, bytes, units } = JSON.parse(stdout) as Told
  return { records, cells, bytes: bytes ?? (units === undefined ? undefined : units + file.bytes - file.units) }
}

/** Takes readings of one file for as long as they agree. */
export class Agreement {
  readonly #found = new Map<keyof Reading, { readonly number: number; readonly by: string }>()

  /** @throws {Error} naming the two that differ. */
  take(by: string, { records, cells, bytes }: Reading): void {
    for (const [what, number] of [
      ['records', records] as const,
      ['cells', cells] as const,
      ['bytes', bytes] as const,
    ]) {
      if (number === undefined) continue
      const first = this.#found.get(what) ?? { number, by }
      if (first.number !== number) {
        throw new Error(`${by} has read ${number} ${what}, and ${first.by} ${first.number}: there is no result.`)
      }
      this.#found.set(what, first)
    }
  }

  /** `196,754 records, 1,377,278 cells`. */
  size(): string {
    return (['records', 'cells'] as const)
      .map((what) => `${(this.#found.get(what)?.number ?? 0).toLocaleString('en')} ${what}`)
      .join(', ')
  }
}
