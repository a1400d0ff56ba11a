/** `rowmill run song-plays` beside the same SQL in bare DuckDB, and beside a plain script on csv-parse. */
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPipelines, pipelineFolders } from '../src/pipeline/load.ts'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import type { BenchFile } from './files.ts'
import { childMemory, compare, type Contender, peer, type Result } from './measure.ts'
import { launcher, playsFile } from './plays.ts'
import { machine, medianOf, megabytes, peakMemory, resultTable, roundsOf, writeSection } from './report.ts'

const names = { bare: 'bare DuckDB', rowmill: '`rowmill run`', script: 'csv-parse and a Map' } as const

/** @throws {Error} when the outputs differ by a byte. */
export async function songPlays({ rows, rounds, write }: BenchOptions, context: BenchContext): Promise<void> {
  const { signal, say } = context
  const file = await playsFile(rows, context)
  await using work = await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
  const contenders = await contendersOn(file.path)
  say(machine('csv-parse'))

  let output: Buffer | undefined
  const results = await compare(contenders, {
    rounds,
    work: work.path,
    signal,
    onRun: async ({ name }, { seconds, peaks }, folder) => {
      say(`${name}: ${seconds.toFixed(2)} s, ${peakMemory(peaks)}`)
      const found = await readFile(join(folder, 'totals.csv'))
      output ??= found
      refuseDifference(name, output, found)
    },
  })

  const section = sectionOf(rows, rounds, file, results)
  for (const line of section) say(line)
  if (write) await writeSection('song-plays', section)
}

/** Each writes `totals.csv` into the folder it is given. */
async function contendersOn(file: string): Promise<Contender[]> {
  const pipeline = 'song-plays'
  const loaded = (await loadPipelines(pipelineFolders(undefined))).get(pipeline)
  const sql = loaded.pipeline.outputs['totals']?.sql ?? ''
  return [
    {
      name: names.bare,
      command: (folder) => peer('duckdb', file, join(folder, 'totals.csv'), sql, childMemory(), join(folder, 'spill')),
    },
    { name: names.rowmill, command: (folder) => ({ file: launcher, args: ['run', pipeline, file, '-o', folder] }) },
    { name: names.script, command: (folder) => peer('csv-parse', file, join(folder, 'totals.csv')) },
  ]
}

/** @throws {Error} naming the first line that differs. */
function refuseDifference(name: string, expected: Buffer, found: Buffer): void {
  if (found.equals(expected)) return
  const [ours, theirs] = [expected, found].map((bytes) => bytes.toString().split('\n'))
  const line = theirs?.findIndex((text, i) => text !== ours?.[i]) ?? -1
  throw new Error(
    `${name} gives another result than the first run, from line ${line + 1} on: “${theirs?.[line]}” instead of “${ours?.[line]}”.`,
  )
}

function sectionOf(rows: number, rounds: number, { bytes }: BenchFile, results: readonly Result[]): string[] {
  const ratio = (name: string, to: string) => medianOf(name, results) / medianOf(to, results)
  return [
    `${rows.toLocaleString('en')} rows, ${megabytes(bytes)}; ${roundsOf(rounds)}. ${machine('csv-parse')}.`,
    '',
    ...resultTable(results, names.bare, names.bare),
    '',
    `\`rowmill run\` takes ${ratio(names.rowmill, names.bare).toFixed(2)} times as long as bare DuckDB, ` +
      `and is ${ratio(names.script, names.rowmill).toFixed(1)} times as fast as csv-parse and a Map.`,
  ]
}
