import pg from 'pg'
import { type TableDatabase, tableContract } from '../../../test/contracts/tables.ts'
import { freshDatabase, missing } from '../../../test/servers.ts'
import { postgresSink } from './sink.ts'

const skip = missing('postgres')

async function open(connections: number): Promise<TableDatabase> {
  const database = await freshDatabase('postgres')
  const client = new pg.Client({
    connectionString: database.url,
    types: { getTypeParser: () => (text: string) => text },
  })
  // The server ends it when the database is dropped.
  client.on('error', () => {})
  await client.connect()
  return {
    sink: postgresSink('db', `${database.url}?connections=${connections}`),
    rows: async (sql) => (await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })).rows,
    async [Symbol.asyncDispose]() {
      await client.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

tableContract({ name: 'PostgreSQL', skip, open: () => open(1) })
tableContract({ name: 'PostgreSQL over two connections', skip, open: () => open(2) })
