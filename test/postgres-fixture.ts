/** A database of PostgreSQL's with a sink on it. */
import pg from 'pg'
import type { Undone } from '../src/balances.ts'
import type { TableSink } from '../src/ports.ts'
import { postgresSink } from '../src/sinks/postgres/sink.ts'
import type { TableDatabase } from './contracts/table-samples.ts'
import { idOf, type Load, targetOf, writing } from './mysql-fixture.ts'
import { freshDatabase } from './servers.ts'

export interface PostgresDatabase extends TableDatabase {
  readonly url: string
  run(sql: string): Promise<void>
}

/** @param connections over which rows are copied. */
export async function openPostgres(connections = 1): Promise<PostgresDatabase> {
  const database = await freshDatabase('postgres')
  const client = new pg.Client({
    connectionString: database.url,
    types: { getTypeParser: () => (text: string) => text },
  })
  // The server ends it when the database is dropped.
  client.on('error', () => {})
  await client.connect()
  return {
    url: database.url,
    sink: postgresSink('db', `${database.url}?connections=${connections}`),
    rows: async (sql) => (await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })).rows,
    async run(sql) {
      await client.query(sql)
    },
    async [Symbol.asyncDispose]() {
      await client.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Takes back what was loaded, as a task that is called after it. */
export async function undo(sink: TableSink, one: Load): Promise<Undone> {
  await using undoing = await sink.undo(idOf({ task: `${one.task}X` }), 1, { ...idOf(one), target: targetOf(one) })
  await undoing.write(writing.signal)
  return await undoing.commit()
}
