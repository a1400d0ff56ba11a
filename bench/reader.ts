/** Rowmill's scan and `rowmill clean` beside other readers, on files of four kinds. */
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import { type BenchFile, readThrough } from './files.ts'
import { compare, type Contender, measure, peer, type Result } from './measure.ts'
import { launcher, playsFile, playsPerMegabyte } from './plays.ts'
import { Agreement, readingOf } from './reading.ts'
import { machine, medianOf, megabytes, peakMemory, resultTable, roundsOf, table, writeSection } from './report.ts'
import { textsFile } from './texts.ts'

interface Kind {
  readonly name: string
  readonly about: string
  /** Whether values break over lines. */
  readonly breaks: boolean
  readonly file: (megabytes: number, context: BenchContext) => Promise<BenchFile>
}

const kinds: readonly Kind[] = [
  {
    name: 'unquoted',
    about: 'song plays',
    breaks: false,
    file: async (size, context) => await playsFile(size * playsPerMegabyte, context),
  },
  {
    name: 'quoted',
    about: 'every field in quotes',
    breaks: false,
    file: async (size, context) => await textsFile('quoted', size, context),
  },
  {
    name: 'line breaks',
    about: 'quoted text with line breaks and doubled quotes',
    breaks: true,
    file: async (size, context) => await textsFile('multiline', size, context),
  },
  {
    name: '30 columns',
    about: '30 columns of text, some of it quoted',
    breaks: false,
    file: async (size, context) => await textsFile('wide', size, context),
  },
]

const names = {
  scan: 'the scan alone',
  shapes: 'the scan, noting shapes',
  clean: '`rowmill clean`',
  papaparse: 'papaparse',
  csvParse: 'csv-parse',
  udsv: 'uDSV',
  duckdb: 'DuckDB',
} as const

interface Outcome {
  readonly kind: Kind
  readonly file: BenchFile
  readonly agreement: Agreement
  readonly results: readonly Result[]
}

/** @throws {Error} when two have not read the same. */
export async function reader(options: BenchOptions, context: BenchContext): Promise<void> {
  const { rounds, slowRounds, write } = options
  const on = machine('papaparse', 'csv-parse', 'udsv')
  context.say(on)
  const outcomes: Outcome[] = []
  for (const kind of kinds) outcomes.push(await compareOn(kind, options, context))

  const slow = slowRounds < rounds ? `, ${slowRounds} of ${names.papaparse} and ${names.csvParse}` : ''
  const section = [
    `${options.megabytes} MB each; ${roundsOf(rounds)}${slow}. ${on}.`,
    '',
    ...overview(outcomes),
    ...outcomes.flatMap(details),
  ]
  for (const line of section) context.say(line)
  if (write) await writeSection('reader', section)
}

async function compareOn(kind: Kind, options: BenchOptions, context: BenchContext): Promise<Outcome> {
  const { signal, say } = context
  const file = await kind.file(options.megabytes, context)
  await using work = await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
  say(`${kind.name}: ${file.path}`)
  const agreement = new Agreement()
  let checked = false
  const results = await compare(contendersOn(kind, file.path, options.slowRounds), {
    rounds: options.rounds,
    work: work.path,
    signal,
    onRun: async ({ name }, { seconds, peaks, stdout }, folder) => {
      say(`  ${name}: ${seconds.toFixed(2)} s, ${peakMemory(peaks)}`)
      if (name !== names.clean) return agreement.take(name, readingOf(stdout, file))
      if (checked) return
      const clean = await readThrough(join(folder, 'clean.csv'), signal)
      const { stdout: told } = await measure(peer('read-papaparse', clean.path), folder, signal)
      agreement.take(`what ${name} has written`, readingOf(told, clean))
      checked = true
    },
  })
  return { kind, file, agreement, results }
}

function contendersOn({ breaks }: Kind, file: string, slowRounds: number): Contender[] {
  return [
    { name: names.scan, command: () => peer('scan', file) },
    { name: names.shapes, command: () => peer('scan', file, 'shapes') },
    {
      name: names.clean,
      command: (folder) => ({ file: launcher, args: ['clean', file, '-o', join(folder, 'clean.csv')] }),
    },
    { name: names.papaparse, command: () => peer('read-papaparse', file), mostRounds: slowRounds },
    { name: names.csvParse, command: () => peer('read-csv-parse', file), mostRounds: slowRounds },
    { name: names.udsv, command: () => peer('read-udsv', file) },
    { name: names.duckdb, command: () => peer('read-duckdb', file, ...(breaks ? ['serial'] : [])) },
  ]
}

function overview(outcomes: readonly Outcome[]): string[] {
  const rows = Object.values(names).map((name) => [
    name,
    ...outcomes.map(({ file, results }) => Math.round(file.bytes / 1e6 / medianOf(name, results)).toLocaleString('en')),
  ])
  return table(['MB/s', ...outcomes.map(({ kind }) => kind.name)], rows)
}

function details({ kind, file, agreement, results }: Outcome): string[] {
  return [
    '',
    `**${kind.name}**: ${kind.about}; ${agreement.size()}, ${megabytes(file.bytes)}.`,
    '',
    ...resultTable(results, names.clean, names.clean),
  ]
}
