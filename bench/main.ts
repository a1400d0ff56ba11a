/** `npm run bench -- NAME [options]`: measures Rowmill on this machine and keeps docs/benchmarks.md. */
import { parseArgs } from 'node:util'
import type { BenchContext, Benchmark } from './benchmark.ts'
import { memory } from './memory.ts'
import { songPlays } from './song-plays.ts'

const benchmarks: Readonly<Record<string, { readonly rows: number; readonly run: Benchmark }>> = {
  'song-plays': { rows: 10_000_000, run: songPlays },
  memory: { rows: 50_000_000, run: memory },
}

const help = `Usage: npm run bench -- NAME [options]

  song-plays  rowmill run beside bare DuckDB and csv-parse, on one file of 10 million rows
  memory      peak memory of the service and of rowmill run, on one file of 50 million rows

Options:
  --rows N    rows of the file, which is made up once and kept in the folder for temporary files
  --rounds N  how often song-plays runs each contender (default: 3)
  --no-write  leave docs/benchmarks.md as it is
  -h, --help  show this help
`

async function main(args: string[], context: BenchContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return context.say(help)
  const [name = ''] = positionals
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined
  if (benchmark === undefined || positionals.length > 1) throw new TypeError(help)
  const rows = wholeNumber('--rows', values.rows ?? String(benchmark.rows))
  const rounds = wholeNumber('--rounds', values.rounds)
  await benchmark.run({ rows, rounds, write: !values['no-write'] }, context)
}

function wholeNumber(option: string, text: string): number {
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
