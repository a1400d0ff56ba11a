/** A database of MariaDB's with a sink on it, rows to load, and a wire to it that fails when it is told to. */
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createConnection } from 'mysql2/promise'
import type { Target } from '../src/model.ts'
import type { Delivered, Produced, TableSink } from '../src/ports.ts'
import { mysqlSink } from '../src/sinks/mysql/sink.ts'
import type { ColumnType } from '../src/table-schema.ts'
import type { TableDatabase } from './contracts/table-samples.ts'
import { temporaryFolder, until } from './harness.ts'
import { freshDatabase } from './servers.ts'

export interface MysqlDatabase extends TableDatabase {
  readonly url: string
  run(sql: string): Promise<void>
}

export async function openMysql(): Promise<MysqlDatabase> {
  const database = await freshDatabase('mariadb')
  // Without generated code, since that refuses a column called __proto__.
  const connection = await createConnection({
    uri: database.url,
    typeCast: (field) => field.string(),
    disableEval: true,
  })
  // The server ends it when the database is dropped.
  connection.on('error', () => {})
  await connection.query("SET sql_mode = 'ANSI_QUOTES'")
  return {
    url: database.url,
    sink: mysqlSink('db', database.url),
    async rows(sql) {
      const [rows] = await connection.query({ sql, rowsAsArray: true })
      return rows as (string | null)[][]
    },
    async run(sql) {
      await connection.query(sql)
    },
    async [Symbol.asyncDispose]() {
      await connection.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

export interface Load {
  readonly task: string
  readonly attempt?: number
  readonly target?: Partial<Target>
  readonly columns: Readonly<Record<string, ColumnType>>
  /** With no tab, line end or backslash in them. */
  readonly rows: readonly (readonly (string | null)[])[]
}

export const writing = { signal: new AbortController().signal, from: 0, onProgress: () => {} }

export function targetOf({ target = {} }: Pick<Load, 'target'>): Target {
  return { table: 'people', mode: 'append', key: [], drift: 'fail', undoable: true, ...target }
}

export const idOf = ({ task }: Pick<Load, 'task'>) => ({ task, output: 'rows' })

/** Begins, writes and commits. */
export async function load(sink: TableSink, one: Load): Promise<Delivered> {
  await using delivery = await sink.begin(idOf(one), one.attempt ?? 1, targetOf(one))
  await using produced = await produce(sink, one)
  await delivery.write(produced, writing)
  return await delivery.commit()
}

/** The rows as an engine would have written them, for a table as it is now. */
export async function produce(sink: TableSink, one: Load): Promise<Produced & AsyncDisposable> {
  const known = await sink.check(targetOf(one))
  const folder = await temporaryFolder()
  const path = folder.at('rows')
  await writeFile(path, one.rows.map((row) => `${row.map((cell) => cell ?? '\\N').join('\t')}\n`).join(''))
  const columns = Object.entries(one.columns).map(([name, type]) => ({
    name,
    type,
    isThere: known?.some((column) => column.name === name) ?? false,
  }))
  return {
    name: 'rows',
    format: 'tabbed',
    file: 'rows',
    path,
    open: () => createReadStream(path),
    rows: one.rows.length,
    columns,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

/** What a wire does to a statement: it never arrives; its answer does not, and nothing any more; it arrives late. */
export type Fault = 'lost' | 'unanswered' | 'late'

export interface Wire extends AsyncDisposable {
  readonly url: string
  /** From now on the first statement with the phrase in it meets the fault. */
  breakAt(phrase: string, fault: Fault): void
  /** Resolves when it has. */
  broken(): Promise<unknown>
  /** Lets what is late arrive. */
  release(): void
}

/** A way to a server by which statements are seen. */
export async function openWire(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  let armed: { phrase: string; fault: Fault } | undefined
  let met: Fault | undefined
  let held: (() => void) | undefined
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    sockets.push(client, upstream)
    const cut = () => [client, upstream].forEach((socket) => socket.destroy())
    for (const socket of [client, upstream]) socket.on('error', cut).on('close', cut)
    let isDeaf = false
    client.on('data', (chunk) => {
      const meets = armed !== undefined && chunk.includes(armed.phrase)
      if (meets) {
        met = armed?.fault
        armed = undefined
        isDeaf = met === 'unanswered'
        if (met === 'lost') return cut()
        if (met === 'late') {
          held = () => upstream.write(chunk)
          return undefined
        }
      }
      return upstream.write(chunk)
    })
    upstream.on('data', (chunk) => (isDeaf ? cut() : client.write(chunk)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    breakAt(phrase, fault) {
      armed = { phrase, fault }
      met = undefined
    },
    broken: () => until('the statement comes by', () => met !== undefined),
    release: () => held?.(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
