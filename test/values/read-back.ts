/** How tests make tables and look into them without Rowmill: every value comes as the bytes of its text, in hex. */
import { DatabaseSync } from 'node:sqlite'
import { DuckDBInstance } from '@duckdb/node-api'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import type { Folder } from '../harness.ts'
import { freshDatabase, missing } from '../servers.ts'

export type DatabaseName = 'PostgreSQL' | 'MariaDB' | 'SQLite' | 'DuckDB'

type Row = readonly (string | null)[]

export interface ValueDatabase extends AsyncDisposable {
  /** Of the sink: each way there is to load into it. */
  readonly urls: readonly string[]
  readonly quote: (name: string) => string
  /** The value of a column as its text's bytes in hex; it is in this session's form, with times in UTC. */
  readonly hex: (column: string) => string
  /** SQL with one placeholder, for the name of a table: the names and types of its columns. */
  readonly columns: string
  readonly rows: (sql: string, values?: readonly string[]) => Promise<Row[]>
}

export interface ValueKind {
  readonly name: DatabaseName
  readonly skip: string | false
  readonly open: (folder: Folder) => Promise<ValueDatabase>
}

const doubled = (mark: string) => (name: string) => mark + name.replaceAll(mark, mark + mark) + mark

async function openPostgres(): Promise<ValueDatabase> {
  const database = await freshDatabase('postgres')
  const client = new pg.Client({ connectionString: database.url, options: '-c TimeZone=UTC -c DateStyle=ISO' })
  // The server ends it when the database is dropped.
  client.on('error', () => {})
  await client.connect()
  return {
    urls: [database.url, `${database.url}?connections=2`],
    quote: doubled('"'),
    hex: (column) => `encode(convert_to(${column}::text, 'UTF8'), 'hex')`,
    columns: `SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
      WHERE c.relname = $1 AND attnum > 0 AND NOT attisdropped`,
    rows: async (sql, values = []) =>
      (await client.query<(string | null)[]>({ text: sql, values: [...values], rowMode: 'array' })).rows,
    async [Symbol.asyncDispose]() {
      await client.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

async function openMariadb(): Promise<ValueDatabase> {
  const database = await freshDatabase('mariadb')
  const connection = await createConnection({ uri: database.url, charset: 'utf8mb4_bin', disableEval: true })
  connection.on('error', () => {})
  return {
    urls: [database.url],
    quote: doubled('`'),
    hex: (column) => `hex(convert(${column} USING utf8mb4))`,
    columns: `SELECT column_name, column_type FROM information_schema.columns
      WHERE table_schema = database() AND table_name = ?`,
    async rows(sql, values = []) {
      const typeCast = (field: { string(): string | null }) => field.string()
      const [rows] = await connection.query({ sql, rowsAsArray: true, typeCast }, [...values])
      return rows as Row[]
    },
    async [Symbol.asyncDispose]() {
      await connection.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

async function openSqlite(folder: Folder): Promise<ValueDatabase> {
  const path = folder.at('values.sqlite')
  return {
    urls: [`sqlite:${path}`],
    quote: doubled('"'),
    // Of a double every digit, not the fifteen that a cast gives.
    hex: (column) => `CASE typeof(${column}) WHEN 'null' THEN NULL WHEN 'real' THEN hex(printf('%!.17g', ${column}))
      WHEN 'blob' THEN hex('a blob') ELSE hex(CAST(${column} AS TEXT)) END`,
    columns: 'SELECT name, type FROM pragma_table_xinfo(?)',
    async rows(sql, values = []) {
      using database = new DatabaseSync(path)
      const statement = database.prepare(sql)
      statement.setReturnArrays(true)
      return statement.all(...values) as unknown as Row[]
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function openDuckdb(folder: Folder): Promise<ValueDatabase> {
  const path = folder.at('values.duckdb')
  return {
    urls: [`duckdb:${path}`],
    quote: doubled('"'),
    hex: (column) => `hex(encode(${column}::VARCHAR))`,
    columns: 'SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $1',
    async rows(sql, values = []) {
      const instance = await DuckDBInstance.create(path)
      try {
        const connection = await instance.connect()
        await connection.run("SET TimeZone = 'UTC'")
        const rows = (await connection.runAndReadAll(sql, [...values])).getRows()
        connection.closeSync()
        return rows as Row[]
      } finally {
        instance.closeSync()
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

export const databases: readonly ValueKind[] = [
  { name: 'PostgreSQL', skip: missing('postgres'), open: openPostgres },
  { name: 'MariaDB', skip: missing('mariadb'), open: openMariadb },
  { name: 'SQLite', skip: false, open: openSqlite },
  { name: 'DuckDB', skip: false, open: openDuckdb },
]

/** The types of a table's columns, by their names. */
export async function typesOf({ rows, columns }: ValueDatabase, table: string): Promise<ReadonlyMap<string, string>> {
  return new Map((await rows(columns, [table])).map(([name, type]) => [name ?? '', type ?? '']))
}

/** All rows of a table, as texts. */
export async function readBack(
  { rows, quote, hex }: ValueDatabase,
  table: string,
  columns: readonly { readonly label: string }[],
): Promise<Row[]> {
  const values = columns.map(({ label }) => hex(quote(label)))
  const found = await rows(`SELECT ${values.join(', ')} FROM ${quote(table)}`)
  return found.map((row) => row.map((value) => (value === null ? null : textOf(value))))
}

/** @throws {RangeError} for bytes that are no text. */
function textOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  const text = bytes.toString('utf8')
  if (!Buffer.from(text).equals(bytes)) throw new RangeError(`these bytes are no text: ${hex.slice(0, 200)}`)
  return text
}
