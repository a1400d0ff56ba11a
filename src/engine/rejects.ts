/** The rejects of a run: gathered in DuckDB, where they may spill, and written as one CSV in the order of the files. */
import { type DuckDBAppender, DuckDBMapValue, MAP, VARCHAR } from '@duckdb/node-api'
import type { Fault } from '../csv/fault.ts'
import { RawReader, type RawSource } from '../csv/raw.ts'
import { type Database, quoteText } from './duckdb.ts'

/** Where a fault was found, for those who only know the record. */
export interface FaultySource {
  readonly input: string
  /** 0-based among the job's files. */
  readonly file: number
  readonly name: string
  /** The text in which faults have their places. */
  readonly text: RawSource
  /** The names under which the cells are kept, in the record's order. */
  readonly columns: readonly string[]
}

/** The first fault of an input, for the message that sums up. */
export interface FirstFault {
  readonly source: FaultySource
  readonly fault: Fault
}

/** Rows that the appender may hold back; it keeps them in memory that nobody limits. */
const rowsPerFlush = 10_000

/** The table of all rejects, and the view of it that pipelines see. */
export async function createRejectsRelation(database: Database): Promise<void> {
  await database.run(`CREATE TABLE "all rejects" (
    position INTEGER, "order" INTEGER, input VARCHAR, file VARCHAR, line BIGINT, byte_offset BIGINT, record BIGINT,
    "column" VARCHAR, code VARCHAR, message VARCHAR, raw VARCHAR, cells MAP(VARCHAR, VARCHAR))`)
  await database.run(`CREATE VIEW rejects AS SELECT * EXCLUDE (position, "order") FROM "all rejects"`)
}

export class Rejects implements AsyncDisposable {
  readonly #database: Database
  readonly #appender: DuckDBAppender
  readonly #raws = new Map<string, RawReader>()
  readonly #first = new Map<string, FirstFault>()
  #count = 0

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

  /** The first by place in the input's files. */
  firstOf(input: string): FirstFault | undefined {
    return this.#first.get(input)
  }

  async add(source: FaultySource, fault: Fault): Promise<void> {
    const { byteOffset, raw } = await (await this.#rawReader(source.text)).read(fault)
    const row = this.#appender
    row.appendInteger(source.file)
    row.appendInteger(this.#count)
    row.appendVarchar(source.input)
    row.appendVarchar(source.name)
    for (const number of [fault.line, byteOffset, fault.record]) row.appendBigInt(BigInt(number))
    if (fault.column === null) row.appendNull()
    else row.appendVarchar(fault.column)
    for (const text of [fault.code, fault.message, raw]) row.appendVarchar(text)
    if (fault.cells === null) row.appendNull()
    else row.appendMap(cellMap(source.columns, fault.cells), MAP(VARCHAR, VARCHAR))
    row.endRow()
    this.#count++
    if (this.#count % rowsPerFlush === 0) this.flush()
    this.#keepFirst(source, fault)
  }

  async #rawReader(text: FaultySource['text']): Promise<RawReader> {
    const open = this.#raws.get(text.path) ?? (await RawReader.open(text))
    this.#raws.set(text.path, open)
    return open
  }

  #keepFirst(source: FaultySource, fault: Fault): void {
    const first = this.#first.get(source.input)
    const isFirst =
      first === undefined ||
      source.file < first.source.file ||
      (source.file === first.source.file && fault.line < first.fault.line)
    if (isFirst) this.#first.set(source.input, { source, fault })
  }

  /** Makes what was added visible to SQL. */
  flush(): void {
    this.#appender.flushSync()
  }

  async write(path: string): Promise<void> {
    this.flush()
    await this.#database.run(
      `COPY (SELECT input, line, byte_offset, record, "column", code, message, raw FROM "all rejects"
       ORDER BY position, line, "order") TO ${quoteText(path)} (FORMAT csv, HEADER true)`,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#appender.closeSync()
    for (const raw of this.#raws.values()) await raw[Symbol.asyncDispose]()
  }
}

function cellMap(columns: readonly string[], cells: readonly string[]): DuckDBMapValue {
  const kept = columns.slice(0, cells.length)
  return new DuckDBMapValue(kept.map((key, i) => ({ key, value: cells[i] ?? '' })))
}
