/** `npm run bench -- NAME [options]`: measures Rowmill on this machine and keeps docs/benchmarks.md. */
import { parseArgs } from 'node:util'
import type { BenchContext, Benchmark } from './benchmark.ts'
import { load } from './load.ts'
import { memory } from './memory.ts'
import { profile } from './profile.ts'
import { reader } from './reader.ts'
import { scale } from './scale.ts'
import { songPlays } from './song-plays.ts'
import { tasks } from './tasks.ts'
import { upload } from './upload.ts'

interface Entry {
  readonly rows: number
  readonly megabytes: number
  readonly run: Benchmark
}

const benchmarks: Readonly<Record<string, Entry>> = {
  'song-plays': { rows: 10_000_000, megabytes: 0, run: songPlays },
  reader: { rows: 0, megabytes: 500, run: reader },
  profile: { rows: 10_000_000, megabytes: 100, run: profile },
  memory: { rows: 50_000_000, megabytes: 0, run: memory },
  load: { rows: 0, megabytes: 0, run: load },
  upload: { rows: 0, megabytes: 2000, run: upload },
  tasks: { rows: 5000, megabytes: 0, run: tasks },
  scale: { rows: 2000, megabytes: 1, run: scale },
}

const help = `Usage: npm run bench -- NAME [options]

  song-plays  rowmill run beside bare DuckDB and csv-parse, on one file of 10 million rows
  reader      rowmill clean and its scan beside other readers of CSV, on four files of 500 MB
  profile     the pipeline profile beside DuckDB's SUMMARIZE, on 10 million rows and on 30 columns
  memory      peak memory of the service and of rowmill run, on one file of 50 million rows
  load        rowmill run load beside the databases' own ways, 1 and 10 million customers
  upload      a file of 2 GB into the service, in every way, beside other servers
  tasks       5,000 tasks that do nothing, by catalog and queue alone, beside other queues
  scale       2,000 files of 1 MB, profiled by one, two and four worker processes

Files are made up once and kept in the folder for temporary files.

Options:
  --rows N         rows of song plays, for all but reader and upload; rows of customers, for load; tasks; files
  --megabytes N    size of each of reader's files (default: 500), of profile's file of 30 columns (default: 100), or
                   of upload's file (default: 2000), or of scale's files (default: 1)
  --rounds N       how often each contender is run (default: 3; not for memory and scale)
  --slow-rounds N  how often reader runs papaparse and csv-parse, and load those that send INSERTs and pgloader
                   (default: as --rounds)
  --only NAME      load into this alone: postgres, mariadb, sqlite or duckdb
  --no-write       leave docs/benchmarks.md as it is
  -h, --help       show this help
`

async function main(args: string[], context: BenchContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      megabytes: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      'slow-rounds': { type: 'string' },
      only: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return context.say(help)
  const [name = ''] = positionals
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined
  if (benchmark === undefined || positionals.length > 1) throw new TypeError(help)
  const rounds = wholeNumber('--rounds', values.rounds, 0)
  const options = {
    rows: wholeNumber('--rows', values.rows, benchmark.rows),
    megabytes: wholeNumber('--megabytes', values.megabytes, benchmark.megabytes),
    rounds,
    slowRounds: Math.min(rounds, wholeNumber('--slow-rounds', values['slow-rounds'], rounds)),
    only: values.only,
    write: !values['no-write'],
  }
  await benchmark.run(options, context)
}

function wholeNumber(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new TypeError(`${option} takes a whole number from 1 on, not ${text}.`)
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort(new Error('interrupted')))
process.once('SIGTERM', () => stop.abort(new Error('stopped')))
try {
  await main(process.argv.slice(2), { signal: stop.signal, say: (line) => void process.stdout.write(`${line}\n`) })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  // A TypeError is what parseArgs throws as well: wrong usage.
  process.exitCode = error instanceof TypeError ? 2 : 1
}
