/** A file of plays big enough to be interrupted, and what must come out of it, by other means than the engine's. */
import { open } from 'node:fs/promises'
import { playsCsv } from '../../src/cli/plays.ts'

export interface Plays {
  readonly path: string
  readonly rows: number
  /** What the pipeline `song-plays` must make of it. */
  readonly totals: string
}

const blockRows = 100_000

/** Writes the same block of plays as often as it takes: so the totals of a big file are as cheap as those of a small one. */
export async function writePlays(path: string, { rows }: { rows: number }): Promise<Plays> {
  const block = Buffer.concat([...playsCsv(blockRows, rows)])
  const header = block.indexOf('\n') + 1
  const times = rows / blockRows
  await using file = await open(path, 'w')
  await file.writeFile(block.subarray(0, header))
  for (let i = 0; i < times; i++) await file.writeFile(block.subarray(header))
  return { path, rows, totals: addUp(block.toString('latin1', header), times) }
}

function addUp(records: string, times: number): string {
  const sums = new Map<string, number>()
  for (const record of records.trimEnd().split('\n')) {
    const comma = record.lastIndexOf(',')
    const key = record.slice(0, comma)
    sums.set(key, (sums.get(key) ?? 0) + times * Number(record.slice(comma + 1)))
  }
  const lines = Array.from(sums, ([key, sum]) => `${key},${sum}\n`)
  return `Song,Date,Total Number of Plays for Date\n${lines.toSorted().join('')}`
}
