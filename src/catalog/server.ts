/** Database servers under the catalog: their sessions behind Kysely's driver interface. */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'

/** Errors are AppErrors. */
export interface ServerPool {
  /** A session that nobody else uses until it is released, in no transaction. */
  take(): Promise<ServerSession>
  end(): Promise<void>
}

export interface ServerSession {
  query(text: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>>
  /** @param isSound whether somebody else may use it. */
  release(isSound: boolean): void
}

export class ServerDriver implements Driver {
  readonly #pool: ServerPool

  constructor(pool: ServerPool) {
    this.#pool = pool
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new Connection(await this.#pool.take())
  }

  async beginTransaction(connection: Connection): Promise<void> {
    await connection.run('begin')
  }

  async commitTransaction(connection: Connection): Promise<void> {
    await connection.run('commit')
  }

  async rollbackTransaction(connection: Connection): Promise<void> {
    // The end of a session is the end of its transaction; a server that has gone is asked for nothing more.
    if (connection.isSound) await connection.run('rollback')
  }

  async releaseConnection(connection: Connection): Promise<void> {
    connection.release()
  }

  async destroy(): Promise<void> {
    await this.#pool.end()
  }
}

/** A session on loan. What went wrong in it may have left it in any state, so then it is not used again. */
class Connection implements DatabaseConnection {
  readonly #session: ServerSession
  isSound = true

  constructor(session: ServerSession) {
    this.#session = session
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    return (await this.run(sql, parameters)) as QueryResult<R>
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  async run(text: string, parameters: readonly unknown[] = []): Promise<QueryResult<unknown>> {
    try {
      return await this.#session.query(text, parameters)
    } catch (error) {
      this.isSound = false
      throw error
    }
  }

  release(): void {
    this.#session.release(this.isSound)
  }
}
