/** `rowmill run profile` beside DuckDB's SUMMARIZE, on a long file and on a wide one. */
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import type { BenchFile } from './files.ts'
import { childMemory, compare, type Contender, peer } from './measure.ts'
import { launcher, playsFile } from './plays.ts'
import { machine, megabytes, peakMemory, resultTable, roundsOf, writeSection } from './report.ts'
import { textsFile } from './texts.ts'

const names = { rowmill: '`rowmill run profile`', duckdb: 'DuckDB’s `SUMMARIZE`' } as const

interface Size {
  readonly records: number
  readonly columns: number
}

/** @throws {Error} when the two do not see as many rows and columns. */
export async function profile(options: BenchOptions, context: BenchContext): Promise<void> {
  const on = machine()
  context.say(on)
  const { rounds } = options
  const section = [
    `${roundsOf(rounds)}. ${on}.`,
    ...(await compareOn('song plays', await playsFile(options.rows, context), rounds, context)),
    ...(await compareOn('text', await textsFile('wide', options.megabytes, context), rounds, context)),
  ]
  for (const line of section) context.say(line)
  if (options.write) await writeSection('profile', section)
}

/** The lines of the section that tell how it went. */
async function compareOn(about: string, file: BenchFile, rounds: number, context: BenchContext): Promise<string[]> {
  const { signal, say } = context
  await using work = await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
  say(`${about}: ${file.path}`)
  let size: Size | undefined
  const results = await compare(contendersOn(file.path), {
    rounds,
    work: work.path,
    signal,
    onRun: async ({ name }, { seconds, peaks, stdout }, folder) => {
      say(`  ${name}: ${seconds.toFixed(2)} s, ${peakMemory(peaks)}`)
      const found = name === names.rowmill ? await profiled(folder) : (JSON.parse(stdout) as Size)
      size ??= found
      if (found.records !== size.records || found.columns !== size.columns) {
        throw new Error(
          `${name} sees ${found.records} rows of ${found.columns} columns, not ${size.records} of ${size.columns}: there is no result.`,
        )
      }
    },
  })
  return [
    '',
    `**${size?.columns} columns of ${about}**: ${size?.records.toLocaleString('en')} rows, ${megabytes(file.bytes)}.`,
    '',
    ...resultTable(results, names.duckdb, '`SUMMARIZE`'),
  ]
}

function contendersOn(file: string): Contender[] {
  return [
    { name: names.rowmill, command: (folder) => ({ file: launcher, args: ['run', 'profile', file, '-o', folder] }) },
    { name: names.duckdb, command: (folder) => peer('summarize', file, childMemory(), join(folder, 'spill')) },
  ]
}

async function profiled(folder: string): Promise<Size> {
  const text = await readFile(join(folder, 'profile.ndjson'), 'utf8')
  const { row_count, column_count } = JSON.parse(text) as { row_count: number; column_count: number }
  return { records: row_count, columns: column_count }
}
