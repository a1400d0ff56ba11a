/** `rowmill run load` beside each database's own way to load a CSV, and beside what else people use. */
import { execFile } from 'node:child_process'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../src/errors.ts'
import { startServer } from '../test/servers.ts'
import type { BenchContext, BenchOptions } from './benchmark.ts'
import { type Contents, customersFile } from './customers.ts'
import { type Database, type Loader } from './databases/database.ts'
import { openDuckdb } from './databases/duckdb.ts'
import { openMariadb } from './databases/mariadb.ts'
import { openPostgres } from './databases/postgres.ts'
import { openSqlite } from './databases/sqlite.ts'
import type { BenchFile } from './files.ts'
import { compare, type Contender, type Result } from './measure.ts'
import { machine, megabytes, peakMemory, resultTable, roundsOf, writeSection } from './report.ts'

/** Those that the page has places for. */
const sizes = [1_000_000, 10_000_000]

interface Kind {
  readonly name: string
  /** @throws {AppError} unavailable, where it is not installed. */
  readonly open: (stack: AsyncDisposableStack) => Promise<Database>
}

const kinds: Readonly<Record<string, Kind>> = {
  postgres: {
    name: 'PostgreSQL',
    open: async (stack) => await openPostgres(stack.use(await startServer('postgres', { durable: true })).url),
  },
  mariadb: {
    name: 'MariaDB',
    open: async (stack) => await openMariadb(stack.use(await startServer('mariadb', { durable: true })).url),
  },
  sqlite: {
    name: 'SQLite',
    open: async (stack) => await openSqlite(join(stack.use(await temporary()).path, 'customers.sqlite')),
  },
  duckdb: {
    name: 'DuckDB',
    open: async (stack) => openDuckdb(join(stack.use(await temporary()).path, 'customers.duckdb')),
  },
}

interface Trial {
  readonly rows: number
  readonly file: BenchFile
  /** What the first one has loaded, and everybody has to. */
  expected?: { readonly contents: Contents; readonly by: string }
}

/** @throws {Error} when a table is not as everybody else's, whichever database it is in. */
export async function load(options: BenchOptions, context: BenchContext): Promise<void> {
  const { rows, only, write } = options
  const chosen = Object.entries(kinds).filter(([key]) => key === (only ?? key))
  if (chosen.length === 0) throw new TypeError(`--only takes ${Object.keys(kinds).join(', ')}, not ${only}.`)
  const trials: Trial[] = []
  for (const size of rows === 0 ? sizes : [rows]) {
    trials.push({ rows: size, file: await customersFile(size, context) })
  }
  for (const [key, kind] of chosen) {
    await using stack = new AsyncDisposableStack()
    const database = await openIfThere(kind, stack, context)
    if (database === undefined) continue
    for (const trial of trials) {
      context.say(`${kind.name}, ${trial.rows.toLocaleString('en')} rows:`)
      const section = await compareOn(database, trial, options, context)
      for (const line of section) context.say(line)
      if (write && sizes.includes(trial.rows)) await writeSection(`load ${key} ${trial.rows}`, section)
    }
  }
}

async function openIfThere(
  { name, open }: Kind,
  stack: AsyncDisposableStack,
  { say }: BenchContext,
): Promise<Database | undefined> {
  try {
    return await open(stack)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'unavailable')) throw error
    say(`${name} is left out: ${error.message}`)
    return undefined
  }
}

/** The lines of the section that tell how it went. */
async function compareOn(
  database: Database,
  trial: Trial,
  options: BenchOptions,
  context: BenchContext,
): Promise<string[]> {
  const { rows, file } = trial
  const loaders = database.loaders.filter(({ mostRows = rows }) => rows <= mostRows)
  const spared = database.loaders.filter((loader) => !loaders.includes(loader))
  const leftOut = [
    ...database.leftOut,
    ...spared.map(({ name }) => `${name} is left out: it would take minutes with so many rows`),
  ]
  for (const line of leftOut) context.say(`  ${line}`)
  const results = await race(database, loaders, trial, options, context)

  const programs = [database, ...loaders].flatMap(({ program = [] }) => program)
  const on = [machine(...database.packages), ...programs].join(', ')
  const rounds = roundsOf(options.rounds) + fewerRounds(loaders, options)
  const floor = loaders[0]?.name ?? ''
  return [
    `**${rows.toLocaleString('en')} rows**, ${megabytes(file.bytes)}; ${rounds}. ${on}.`,
    '',
    ...resultTable(results, floor, floor),
    ...leftOut.flatMap((line) => ['', `${line}.`]),
  ]
}

function fewerRounds(loaders: readonly Loader[], { rounds, slowRounds }: BenchOptions): string {
  const slow = loaders.filter(({ isSlow }) => isSlow).map(({ name }) => name)
  return slow.length > 0 && slowRounds < rounds ? `, ${slowRounds} of ${slow.join(', ')}` : ''
}

async function race(
  database: Database,
  loaders: readonly Loader[],
  trial: Trial,
  { rounds, slowRounds }: BenchOptions,
  { signal, say }: BenchContext,
): Promise<Result[]> {
  await using work = await temporary()
  return await compare(
    loaders.map(({ name, command, isSlow = false }): Contender => {
      return { name, command: (folder) => command(trial.file.path, folder), mostRounds: isSlow ? slowRounds : rounds }
    }),
    {
      rounds,
      work: work.path,
      signal,
      beforeRun: async () => {
        await database.renew()
        // Nobody is to wait for what another one has left for the disk.
        await promisify(execFile)('sync')
      },
      onRun: async ({ name }, { seconds, peaks }) => {
        say(`  ${name}: ${seconds.toFixed(2)} s, ${peakMemory(peaks)}`)
        loaders.find((loader) => loader.name === name)?.settle?.()
        refuseDifference(trial, name, await database.contents())
      },
    },
  )
}

/** @throws {Error} */
function refuseDifference(trial: Trial, by: string, contents: Contents): void {
  if (contents.rows !== trial.rows) throw new Error(`${by} has loaded ${contents.rows} rows, not ${trial.rows}.`)
  trial.expected ??= { contents, by }
  if (contents.sum !== trial.expected.contents.sum) {
    throw new Error(`${by} has loaded other values than ${trial.expected.by}: there is no result.`)
  }
}

async function temporary(): ReturnType<typeof mkdtempDisposable> {
  return await mkdtempDisposable(join(tmpdir(), 'rowmill-bench-'))
}
