/**
 * Both sides of a danger: bare DuckDB, told to read in a way that is not safe, and Rowmill over the same bytes.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api'
import { parse } from 'csv-parse/sync'
import type { OutputFormat } from '../../src/model.ts'
import { parsePipeline } from '../../src/pipeline/parse.ts'
import type { Engine } from '../../src/ports.ts'
import { type Job, jobFile, type Report } from '../../src/job.ts'
import { runLocally } from '../../src/work/local.ts'
import { runFolder } from '../engine-fixture.ts'
import { temporaryFolder } from '../harness.ts'

export type Settings = Readonly<Record<string, string>>

/** A DuckDB in memory that nobody has made safe: two threads, nothing downloaded, and else as it comes. */
export async function openDuckDB(
  settings: Settings = {},
): Promise<{ connection: DuckDBConnection; rows(sql: string): Promise<Json[][]> } & Disposable> {
  const noDownloads = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' }
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', ...noDownloads, ...settings })
  const connection = await instance.connect()
  return {
    connection,
    // As JSON: a BIGINT is a text, an INTEGER a number.
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowsJson(),
    [Symbol.dispose]() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

/** Runs statements in a DuckDB of their own; the rows of the last one. */
export async function duckdb(statements: string | readonly string[], settings: Settings = {}): Promise<Json[][]> {
  using database = await openDuckDB(settings)
  let rows: Json[][] = []
  for (const sql of [statements].flat()) rows = await database.rows(sql)
  return rows
}

/**
 * `read_csv` with columns and dialect given, so that nothing that goes wrong is a matter of guessing.
 * @param columns name → type, in words that DuckDB and Rowmill share: `string`, `integer`.
 * @param more options besides, or instead, as SQL.
 */
export function readCsv(path: string, columns: Settings, more: Settings = {}): string {
  const types = Object.entries(columns).map(([name, type]) => `${name}: '${type}'`)
  const options = {
    columns: `{${types.join(', ')}}`,
    auto_detect: 'false',
    header: 'true',
    delim: "','",
    quote: `'"'`,
    escape: `'"'`,
    ...more,
  }
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  return `read_csv('${path}', ${list.join(', ')})`
}

/** A line of `rejects.csv`. */
export interface Reject {
  readonly line: number
  readonly byteOffset: number
  readonly record: number
  readonly column: string
  readonly code: string
  readonly raw: string
}

export interface Milled {
  readonly report: Report
  /** The output as it was written; empty when there is none. */
  readonly text: string
  /** The output read as CSV by a reader that is neither ours nor DuckDB's. */
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly rejects: readonly Reject[]
}

export interface MillOptions {
  /** Column → type; undeclared when there are none. */
  readonly columns?: Settings
  readonly sql?: string
  readonly format?: OutputFormat
  readonly memory?: number
  /** What the file's bytes must hash to. */
  readonly sha256?: string
}

/** Every record, so that rows can be held against the balance. */
const everything = 'FROM file'

/**
 * Runs a pipeline that keeps rejects over a file, as `rowmill run` does, only without a process of its own, and holds
 * what came of it against itself: no record without a row or a reject, no row without a record.
 * @param file its path, or its name and what it holds.
 */
export async function mill(
  file: string | readonly [name: string, content: string | Uint8Array],
  { columns, sql = everything, format = 'csv', memory = 500e6, sha256 }: MillOptions = {},
): Promise<Milled> {
  await using folder = await temporaryFolder()
  const path = typeof file === 'string' ? file : folder.at(file[0])
  if (typeof file !== 'string') {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, file[1])
  }
  const yaml = JSON.stringify({
    about: 'What a danger is held against.',
    rejects: 'keep',
    inputs: { file: columns === undefined ? {} : { columns } },
    outputs: { rows: { to: 'results', format, sql } },
  })
  const pipeline = parsePipeline('danger', yaml, 'danger.yaml')
  const inputs = [{ input: 'file', name: path.slice(dirname(path).length + 1), path }]
  const engine: Pick<Engine, 'run'> = {
    async run(job) {
      if (sha256 !== undefined) await expectSum(job, sha256)
      return await runFolder(job)
    },
  }
  const job = { pipeline, params: {}, inputs, targets: {}, now: 0, memory, threads: 2, unpacked: 1e9 }
  const unwatched = { signal: new AbortController().signal, onProgress: () => {} }
  await using run = await runLocally(engine, { ...job, ...unwatched })
  const read = async (name: string | undefined) =>
    name === undefined ? '' : await readFile(join(run.folder, name), 'utf8')
  const text = await read(run.report.outputs[0]?.file)
  const [header = [], ...rows] = format === 'csv' ? parse(text) : []
  const milled = { report: run.report, text, header, rows, rejects: rejectsOf(await read(run.report.rejects?.file)) }
  assertAccounted(milled, sql === everything && format === 'csv')
  return milled
}

/** What a task has and a local run has not: a sum that was taken when the bytes came in. */
async function expectSum(folder: string, sha256: string): Promise<void> {
  const job = JSON.parse(await readFile(join(folder, jobFile), 'utf8')) as Job
  const inputs = job.inputs.map((input) => ({ ...input, sha256 }))
  await writeFile(join(folder, jobFile), JSON.stringify({ ...job, inputs }))
}

function rejectsOf(csv: string): Reject[] {
  return parse<Record<string, string>>(csv, { columns: true }).map((one) => ({
    line: Number(one['line']),
    byteOffset: Number(one['byte_offset']),
    record: Number(one['record']),
    column: one['column'] ?? '',
    code: one['code'] ?? '',
    raw: one['raw'] ?? '',
  }))
}

/** Either the run has failed, with words and without outputs, or its counts are those of the rows and the rejects. */
function assertAccounted({ report, rows, rejects }: Milled, isEverything: boolean): void {
  const { error, inputs, outputs } = report
  if (error !== null) {
    assert.match(error.code, /^(rejected|unprocessable)$/)
    assert.notEqual(error.message, '')
    assert.deepEqual(outputs, [])
    return
  }
  const { records, accepted, rejected } = inputs['file'] ?? assert.fail('the input has no balance')
  assert.equal(records, accepted + rejected)
  assert.equal(new Set(rejects.map(({ record }) => record)).size, rejected)
  if (isEverything) assert.equal(rows.length, accepted)
}

/** A reject in short: its line and its code. */
export function places({ rejects }: Milled): string[] {
  return rejects.map(({ line, code }) => `${line} ${code}`)
}

/** Holds that a user has been told of something: by an error, a reject or a warning. */
export function assertTold({ report }: Milled): void {
  assert.ok(report.error !== null || report.rejects !== null || report.warnings.length > 0, 'nothing was said')
}
