import { DuckDBInstance, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api'
import { AppError } from '../errors.ts'

export interface DatabaseOptions {
  /** Bytes DuckDB may plan with; it spills to `spill` beyond. */
  readonly memory: number
  readonly threads: number
  readonly spill: string
  /** The only files that may be read, and the only folder that may be written to. */
  readonly readable: readonly string[]
  readonly writable: string
  /** Where the plan of each statement is left, with what was counted as it ran; undefined for nowhere. */
  readonly plan?: string
  readonly signal: AbortSignal
}

/** A DuckDB in memory that can reach the files it was given and nothing else: no file, no network, no extension. */
export class Database implements Disposable {
  readonly connection: DuckDBConnection
  readonly #instance: DuckDBInstance
  readonly #signal: AbortSignal
  readonly #interrupt = () => this.connection.interrupt()

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, signal: AbortSignal) {
    this.#instance = instance
    this.connection = connection
    this.#signal = signal
    signal.addEventListener('abort', this.#interrupt)
  }

  static async open(options: DatabaseOptions): Promise<Database> {
    const { memory, threads, spill, readable, writable, plan, signal } = options
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${Math.floor(memory / 1000)}KB`,
      ...(threads > 0 && { threads: String(threads) }),
      temp_directory: spill,
    })
    const database = new Database(instance, await instance.connect(), signal)
    // In this order: printing must be off before progress is on, or it writes to stdout; the lock comes last.
    for (const setting of [
      `TimeZone = 'UTC'`,
      'enable_progress_bar_print = false',
      'enable_progress_bar = true',
      ...(plan === undefined ? [] : [`enable_profiling = 'json'`, `profiling_output = ${quoteText(plan)}`]),
      `allowed_paths = [${readable.map(quoteText).join(', ')}]`,
      `allowed_directories = [${quoteText(`${writable}/`)}]`,
      'enable_external_access = false',
      'lock_configuration = true',
    ]) {
      await database.run(`SET ${setting}`)
    }
    return database
  }

  async run(sql: string, values?: DuckDBValue[]): Promise<void> {
    await this.#told(() => this.connection.run(sql, values))
  }

  async rows(sql: string): Promise<DuckDBValue[][]> {
    return this.#told(async () => (await this.connection.runAndReadAll(sql)).getRows())
  }

  /** The relations that a SELECT names, as far as it can be read. */
  tablesIn(sql: string): readonly string[] {
    try {
      return this.connection.getTableNames(sql, false)
    } catch {
      return []
    }
  }

  /** Rows as they come, for results that may not fit into memory. On a connection of its own, so that others can go on. */
  async *stream(sql: string): AsyncGenerator<DuckDBValue[]> {
    const connection = await this.#instance.connect()
    try {
      const result = await this.#told(() => connection.stream(sql))
      for await (const rows of result.yieldRows()) yield* rows
    } finally {
      connection.closeSync()
    }
  }

  /** Share of the running statement that is done, 0 to 1; undefined while DuckDB does not know. */
  get progress(): number | undefined {
    const { percentage } = this.connection.progress
    return percentage < 0 ? undefined : percentage / 100
  }

  /** Runs a call with DuckDB's errors translated. */
  async #told<T>(call: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted()
    try {
      return await call()
    } catch (error) {
      this.#signal.throwIfAborted()
      throw translate(error)
    }
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#interrupt)
    this.connection.closeSync()
    this.#instance.closeSync()
  }
}

/** What DuckDB says, for those who wrote the SQL; what the machine lacks, for those who run it. */
export class SqlError extends Error {}

function translate(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error)
  if (/No space left on device|Disk quota exceeded|max_temp_directory_size/i.test(message)) {
    return new AppError('full', 'The disk filled up while the task was running. Free some space and run it again.', {
      cause: error,
    })
  }
  if (/^Out of Memory/i.test(message)) {
    return new AppError(
      'unprocessable',
      'The task needs more memory than it may have. Raise ROWMILL_TASK_MEMORY or make the pipeline keep less at once.',
      { cause: error },
    )
  }
  return new SqlError(message, { cause: error })
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
