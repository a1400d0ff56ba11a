/** The four databases that a load is tried on, and how to look into each without Rowmill. */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Folder, until } from '../harness.ts'
import { freshDatabase, missing, query } from '../servers.ts'

export interface LoadDatabase extends AsyncDisposable {
  /** Of the sink. */
  readonly url: string
  /** What a query gives, a text for each row; none where the table is not there. */
  texts(sql: string): Promise<string[]>
  run(sql: string): Promise<unknown>
}

export interface DatabaseKind {
  readonly name: string
  readonly skip: string | false
  open(folder: Folder): Promise<LoadDatabase>
}

const done = async () => {}

function server(kind: 'postgres' | 'mariadb', name: string): DatabaseKind {
  return {
    name,
    skip: missing(kind),
    async open() {
      const database = await freshDatabase(kind)
      return {
        url: database.url,
        async texts(sql) {
          const found = await query(database.url, sql).catch((error: unknown) => {
            if (/does not exist|doesn't exist/.test(String(error))) return ''
            throw error
          })
          return found === '' ? [] : found.split('\n')
        },
        run: (sql) => query(database.url, sql),
        [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
      }
    },
  }
}

const sqlite: DatabaseKind = {
  name: 'SQLite',
  skip: false,
  async open(folder) {
    const path = folder.at('loaded.sqlite')
    return {
      url: `sqlite:${path}`,
      async texts(sql) {
        if (!existsSync(path)) return []
        using database = new DatabaseSync(path)
        const [, table = ''] = /FROM (\w+)/.exec(sql) ?? []
        const there = database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').all(table)
        return there.length === 0
          ? []
          : database
              .prepare(sql)
              .all()
              .map((row) => String(Object.values(row)[0]))
      },
      async run(sql) {
        using database = new DatabaseSync(path)
        database.exec(sql)
      },
      [Symbol.asyncDispose]: done,
    }
  },
}

/** The process that wrote for a service that was killed has a moment longer to live, and the file to itself. */
async function openDuckDb(path: string, options: Record<string, string> = {}): Promise<DuckDBInstance> {
  return await until(`${path} is free`, async () => {
    return await DuckDBInstance.create(path, options).catch((error: unknown) => {
      if (/Could not set lock/.test(String(error))) return undefined
      throw error
    })
  })
}

const duckdb: DatabaseKind = {
  name: 'DuckDB',
  skip: false,
  async open(folder) {
    const path = folder.at('loaded.duckdb')
    return {
      url: `duckdb:${path}`,
      async texts(sql) {
        if (!existsSync(path)) return []
        const instance = await openDuckDb(path, { access_mode: 'READ_ONLY' })
        try {
          const connection = await instance.connect()
          const [, table = ''] = /FROM (\w+)/.exec(sql) ?? []
          const there = await connection.runAndReadAll('SELECT 1 FROM duckdb_tables() WHERE table_name = $1', [table])
          if (there.currentRowCount === 0) return []
          const rows = (await connection.runAndReadAll(sql)).getRows()
          connection.closeSync()
          return rows.map(([value]) => String(value))
        } finally {
          instance.closeSync()
        }
      },
      async run(sql) {
        const instance = await openDuckDb(path)
        try {
          const connection = await instance.connect()
          await connection.run(sql)
          connection.closeSync()
        } finally {
          instance.closeSync()
        }
      },
      [Symbol.asyncDispose]: done,
    }
  },
}

export const databases: readonly DatabaseKind[] = [
  server('postgres', 'PostgreSQL'),
  server('mariadb', 'MariaDB'),
  sqlite,
  duckdb,
]
