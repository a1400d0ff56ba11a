import type { Writable } from 'node:stream'
import type { CleanReject } from '../csv/clean.ts'
import { rejectColumns } from '../csv/fault.ts'
import type { ListedReject } from '../csv/listed.ts'
import { cleanLine } from '../csv/write.ts'
import type { TaskAnswer } from './client.ts'
import type { Draft } from './draft.ts'
import { table } from './table.ts'

/** Gathered for one write, in characters. */
const mostGathered = 64 << 10

/** What they are called in the folder that -o names. */
export const rejectsFile = 'rejects.csv'

/** The same for the records that can be corrected: one file, or one for each input that has some. */
export function fixableFiles<T extends { readonly input: string }>(fixable: readonly T[]): (T & { path: string })[] {
  return fixable.map((one) => {
    return { ...one, path: fixable.length === 1 ? 'rejects.fixable.csv' : `rejects.fixable.${one.input}.csv` }
  })
}

/** How many rejects are shown; the rest is in the file. */
export const shownRejects = 5

/** The first rejects of a run for people to see, and how many more there are. */
export function rejectsTable(first: readonly ListedReject[], count: number): string {
  const rows = first.map(({ input, line, column, code, message }) => [input, String(line), column ?? '', code, message])
  const more = count - first.length
  return table([['INPUT', 'LINE', 'COLUMN', 'CODE', 'MESSAGE'], ...rows]) + (more > 0 ? `… and ${more} more\n` : '')
}

/** What has become of the records of a task and of those that corrected its rejects. */
export function familyLine({ records, accepted, rejected, left }: NonNullable<TaskAnswer['family']>): string {
  return `${records} records = ${accepted} accepted + ${rejected} rejected + ${left} left out`
}

/** The rejects of a file: the first ones to show, and all of them in a file if there is to be one. */
export class RejectsList implements AsyncDisposable {
  count = 0
  readonly #shown: CleanReject[] = []
  readonly #name: string
  readonly #draft: Draft | undefined
  #gathered = cleanLine(rejectColumns)

  /** @param draft takes them all. */
  constructor(name: string, draft: Draft | undefined) {
    this.#name = name
    this.#draft = draft
  }

  async add(reject: CleanReject): Promise<void> {
    this.count++
    if (this.#shown.length < shownRejects) this.#shown.push(reject)
    if (this.#draft === undefined) return
    const { line, byteOffset, record, column, code, message, raw } = reject
    const cells = [this.#name, String(line), String(byteOffset), String(record), column ?? '', code, message, raw]
    this.#gathered += cleanLine(cells)
    if (this.#gathered.length >= mostGathered) await this.#flush(this.#draft)
  }

  async #flush(draft: Draft): Promise<void> {
    const text = this.#gathered
    this.#gathered = ''
    await draft.write(Buffer.from(text))
  }

  async keep(stderr: Writable): Promise<void> {
    if (this.#draft !== undefined) {
      await this.#flush(this.#draft)
      await this.#draft.keep()
    }
    if (this.count === 0) return
    stderr.write(
      rejectsTable(
        this.#shown.map((reject) => ({ input: this.#name, ...reject })),
        this.count,
      ),
    )
    if (this.#draft === undefined) stderr.write('Add --rejects FILE to keep them.\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#draft?.[Symbol.asyncDispose]()
  }
}
