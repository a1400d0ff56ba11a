/**
 * The rejected records as people can correct and send them back: for each input one CSV, in it each record once, its cells
 * under the original header. A record that could not be split into them stands as a whole in the last column.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { cleanLine } from '../csv/write.ts'
import type { RejectsReport } from '../job.ts'
import { nameColumns } from './columns.ts'
import { columnsBefore, labelsOf, rawColumn } from './correction.ts'
import type { InputFile } from './relation.ts'
import type { ToldFault } from './rejects.ts'

/** Characters that are written at once. */
const blockLength = 1 << 18

/** @param faults in the order of the files; those of a record one after another. */
export async function writeFixable(
  faults: AsyncIterable<ToldFault>,
  files: readonly InputFile[],
  folder: string,
  signal: AbortSignal,
): Promise<RejectsReport['fixable']> {
  await using lists = new AsyncDisposableStack()
  const byInput = new Map<string, List>()
  for await (const record of recordsOf(faults)) {
    const source = files.find(({ file }) => file === record[0].file)
    if (source === undefined) throw new RangeError(`there is no file ${record[0].file}`)
    const { input } = source
    let list = byInput.get(input)
    if (list === undefined) {
      const own = files.filter((file) => file.input === input)
      list = lists.use(await List.open(join(folder, pathOf(input)), own, signal))
      byInput.set(input, list)
    }
    await list.add(source, record)
  }
  for (const list of byInput.values()) await list.flush()
  return Array.from(byInput.keys(), (input) => ({ input, file: pathOf(input) }))
}

function pathOf(input: string): string {
  return `out/rejects.fixable.${input}.csv`
}

type Faults = readonly [ToldFault, ...ToldFault[]]

async function* recordsOf(faults: AsyncIterable<ToldFault>): AsyncGenerator<Faults> {
  let record: [ToldFault, ...ToldFault[]] | undefined
  for await (const fault of faults) {
    if (record?.[0].file === fault.file && record[0].record === fault.record) {
      record.push(fault)
      continue
    }
    if (record !== undefined) yield record
    record = [fault]
  }
  if (record !== undefined) yield record
}

/** The list of an input. Its files have the same columns, perhaps in another order, or all of them but some. */
class List implements AsyncDisposable {
  readonly #handle: FileHandle
  readonly #signal: AbortSignal
  readonly #columns: readonly string[]
  /** By file, where each of the columns stands in it. */
  readonly #places: ReadonlyMap<number, readonly (number | undefined)[]>
  #pending: string

  private constructor(handle: FileHandle, files: readonly InputFile[], signal: AbortSignal) {
    this.#handle = handle
    this.#signal = signal
    const named = files.map((file) => ({ file: file.file, names: namesOf(file) }))
    this.#columns = [...new Set(named.flatMap(({ names }) => [...names.keys()]))]
    this.#places = new Map(named.map(({ file, names }) => [file, this.#columns.map((name) => names.get(name))]))
    this.#pending = cleanLine([...columnsBefore, ...this.#columns, rawColumn])
  }

  static async open(path: string, files: readonly InputFile[], signal: AbortSignal): Promise<List> {
    return new List(await open(path, 'w'), files, signal)
  }

  async add(source: InputFile, faults: Faults): Promise<void> {
    const [first] = faults
    const cells = first.cells.length === source.reading.file.header.length && isSplit(first) ? first.cells : undefined
    const values = (this.#places.get(source.file) ?? []).map((at) => (at === undefined ? null : (cells?.[at] ?? null)))
    const raw = cells === undefined ? first.raw : rawIn(source, cells)
    const messages = faults.map(({ column, message }) =>
      raw !== '' || column === null ? message : `${column}: ${message}`,
    )
    const where = this.#places.size > 1 ? `${source.name}: ` : ''
    const before = [String(first.line), faults.map(({ code }) => code).join('; '), where + messages.join('; ')]
    const isKept = (i: number) => values[i - before.length] === ''
    this.#pending += cleanLine([...before, ...values.map((value) => value ?? ''), raw], isKept)
    if (this.#pending.length >= blockLength) await this.flush()
  }

  async flush(): Promise<void> {
    this.#signal.throwIfAborted()
    const text = this.#pending
    this.#pending = ''
    await this.#handle.appendFile(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** The columns under the names by which they are found again, with their places in the file. */
function namesOf({ reading, columns, correction }: InputFile): Map<string, number> {
  const labels = labelsOf(reading.file.header, correction)
  const names = nameColumns(labels).columns.map(({ field, position }): [string, number] => {
    const place = correction?.positions[position ?? 0] ?? position ?? 0
    // A declared column has its own name, even beside one that differs only in case.
    return [columns.find((column) => column.position === place)?.field.name ?? field.name, place]
  })
  return new Map(names)
}

/** Whether the cells are those of the columns, as they can be read. */
function isSplit({ code }: ToldFault): boolean {
  return code !== 'extra-cell' && code !== 'nul-byte'
}

/** Of a record that nobody has corrected: how it stood at first. */
function rawIn({ correction }: InputFile, cells: ToldFault['cells']): string {
  if (correction === undefined || correction.positions.some((position) => cells[position] !== null)) return ''
  return cells[correction.raw] ?? ''
}
