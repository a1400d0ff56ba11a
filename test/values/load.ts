/** The command `run load`, in this process, and all that it tells. */
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { parse } from 'csv-parse/sync'
import { run } from '../../src/cli/run.ts'
import { loadConfig } from '../../src/config.ts'
import { createLog } from '../../src/log.ts'
import type { Engine } from '../../src/ports.ts'
import type { Report } from '../../src/job.ts'
import { openSupervisor } from '../../src/work/supervisor.ts'
import { temporaryFolder } from '../harness.ts'
import type { ValueDatabase, ValueKind } from './read-back.ts'

export interface Counts {
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
}

export interface ToldReject {
  readonly record: number
  readonly offset: number
  /** Empty where it is the whole record's. */
  readonly column: string
  readonly code: string
  readonly message: string
  readonly raw: string
}

export interface Loaded {
  readonly records: Report['inputs'][string] | undefined
  readonly rejects: readonly ToldReject[]
  readonly counts: Counts
  /** Why nothing was loaded. */
  readonly error: string | undefined
}

export interface Loader extends AsyncDisposable {
  readonly kind: ValueKind
  readonly database: ValueDatabase
  readonly load: (bytes: Buffer, params: Readonly<Record<string, string | string[]>>) => Promise<Loaded>
}

/** For any number of loads into one database. */
export async function openLoader(kind: ValueKind): Promise<Loader> {
  const folder = await temporaryFolder()
  const database = await kind.open(folder)
  const configs = database.urls.map((url) => {
    return loadConfig({ ROWMILL_DATA: folder.at('data'), ROWMILL_SINK_WAREHOUSE_URL: url }, folder.path).config
  })
  const [first] = configs
  if (first === undefined) throw new RangeError(`there is no way to load into ${kind.name}`)
  const log = createLog('silent')
  const supervisor = openSupervisor(first, log)
  let loads = 0
  return {
    kind,
    database,
    async load(bytes, params) {
      // Each way in turn.
      const config = configs[loads++ % configs.length] ?? first
      let report: Report | undefined
      const engine: Engine = {
        run: async (...args) => (report = await supervisor.run(...args)),
        rows: (...args) => supervisor.rows(...args),
        [Symbol.asyncDispose]: async () => {},
      }
      const path = folder.at('values.csv')
      const output = folder.at('out')
      await rm(output, { recursive: true, force: true })
      await writeFile(path, bytes)
      const stderr = new Told()
      const { signal } = new AbortController()
      const context = { config, signal, stdin: process.stdin, stdout: new Told(), stderr, log }
      const args = { pipeline: 'load', files: [path], output, params, again: true, dryRun: false, planHash: undefined }
      await run(args, engine, context)
      return {
        records: report?.inputs['file'],
        rejects: existsSync(folder.at('out/rejects.csv')) ? await rejectsIn(folder.at('out/rejects.csv')) : [],
        counts: countsIn(stderr.text),
        error: report?.error?.message,
      }
    },
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

class Told extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}

/** `warehouse people: 1,000 rows (990 inserted, 10 updated)` */
function countsIn(told: string): Counts {
  const line = told.split('\n').findLast((one) => one.startsWith('warehouse ')) ?? ''
  const count = (word: string) => Number(new RegExp(`([\\d,]+) ${word}`).exec(line)?.[1]?.replaceAll(',', '') ?? 0)
  return { inserted: count('inserted'), updated: count('updated'), unchanged: count('unchanged') }
}

async function rejectsIn(path: string): Promise<ToldReject[]> {
  const lines: Record<string, string>[] = parse(await readFile(path), { columns: true })
  return lines.map(({ record, byte_offset: offset, column = '', code = '', message = '', raw = '' }) => {
    return { record: Number(record), offset: Number(offset), column, code, message, raw }
  })
}
