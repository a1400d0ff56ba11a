/** The rejects of a run: gathered in DuckDB, where they may spill, and written as one CSV in the order of the files. */
import { open } from 'node:fs/promises'
import { type DuckDBAppender, DuckDBMapValue, MAP, VARCHAR } from '@duckdb/node-api'
import type { Fault } from '../csv/reading.ts'
import type { Reject } from '../model.ts'
import { type Database, quoteText } from './duckdb.ts'

/** Where a fault was found, for those who only know the record. */
export interface FaultySource {
  readonly input: string
  readonly file: number
  /** The original, which byte offsets count in. */
  readonly path: string
  /** The names under which the cells are kept, in the record's order. */
  readonly names: readonly string[]
}

/** The table of all rejects, and the view of it that pipelines see. */
export async function createRejectsRelation(database: Database): Promise<void> {
  await database.run(`CREATE TABLE "all rejects" (
    file INTEGER, "order" INTEGER, input VARCHAR, line BIGINT, byte_offset BIGINT, record BIGINT, "column" VARCHAR,
    code VARCHAR, message VARCHAR, raw VARCHAR, cells MAP(VARCHAR, VARCHAR))`)
  await database.run(`CREATE VIEW rejects AS SELECT * EXCLUDE (file, "order") FROM "all rejects"`)
}

export class Rejects implements Disposable {
  readonly #database: Database
  readonly #appender: DuckDBAppender
  #count = 0
  #first: (Reject & { file: number }) | undefined

  private constructor(database: Database, appender: DuckDBAppender) {
    this.#database = database
    this.#appender = appender
  }

  static async open(database: Database): Promise<Rejects> {
    await createRejectsRelation(database)
    return new Rejects(database, await database.connection.createAppender('all rejects'))
  }

  /** One for every fault: a record with two has two. */
  get count(): number {
    return this.#count
  }

  /** The first by place in its file, for the message that sums up. */
  get first(): (Reject & { file: number }) | undefined {
    return this.#first
  }

  async add({ input, file, path, names }: FaultySource, fault: Fault): Promise<void> {
    const reject: Reject = { ...fault, input, raw: await readRaw(path, fault) }
    const row = this.#appender
    row.appendInteger(file)
    row.appendInteger(this.#count)
    row.appendVarchar(input)
    row.appendBigInt(BigInt(reject.line))
    row.appendBigInt(BigInt(reject.byteOffset))
    row.appendBigInt(BigInt(reject.record))
    if (reject.column === null) row.appendNull()
    else row.appendVarchar(reject.column)
    for (const text of [reject.code, reject.message, reject.raw]) row.appendVarchar(text)
    if (fault.cells === null) row.appendNull()
    else row.appendMap(cellMap(names, fault.cells), MAP(VARCHAR, VARCHAR))
    row.endRow()
    this.#count++
    const { first } = this
    if (first === undefined || file < first.file || (file === first.file && reject.line < first.line)) {
      this.#first = { ...reject, file }
    }
  }

  /** Makes what was added visible to SQL. */
  flush(): void {
    this.#appender.flushSync()
  }

  async write(path: string): Promise<void> {
    this.flush()
    await this.#database.run(
      `COPY (SELECT * EXCLUDE (file, "order", cells) FROM "all rejects" ORDER BY file, line, "order")
       TO ${quoteText(path)} (FORMAT csv, HEADER true)`,
    )
  }

  [Symbol.dispose](): void {
    this.#appender.closeSync()
  }
}

function cellMap(names: readonly string[], cells: readonly string[]): DuckDBMapValue {
  const kept = names.slice(0, cells.length)
  return new DuckDBMapValue(kept.map((key, i) => ({ key, value: cells[i] ?? '' })))
}

async function readRaw(path: string, { byteOffset, byteLength }: Fault): Promise<string> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(byteLength), 0, byteLength, byteOffset)
  return buffer.toString('utf8', 0, bytesRead)
}
